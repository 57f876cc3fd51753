"""`vix accounts`: connects pages, lists, looks at and disconnects them. `vix vault rotate`: changes the vault's key."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from daemon.errors import AccountRefused, UnknownAccount

if TYPE_CHECKING:
    from daemon.accounts.life import Account
    from daemon.store.accounts import AccountStore


@click.group()
def accounts() -> None:
    """Pages that films are published on."""


@accounts.command("add")
@click.argument("kind", type=click.Choice(["facebook"]))
@click.option("--app-id", prompt="App id", default="", help="The app that the token was granted to.")
@click.option("--page", "pages", multiple=True, help="Name or id of a page; several times for several. Default: all.")
def add_account(kind: str, app_id: str, pages: tuple[str, ...]) -> None:
    """Connect pages, or give them a new token. Token and app secret are asked for, or read from the input, a line each,
    so that no command line and no history holds them."""
    from daemon.accounts.facebook import Given
    from daemon.commands import wiring

    token, secret = _hidden("Token"), _hidden("App secret")
    settings = wiring.ready_settings()
    connect = wiring.facebook_accounts(settings, wiring.database(settings)).connect
    try:
        found = connect(Given(token.strip(), app_id.strip(), secret.strip()), pages)
    except AccountRefused as exc:
        raise click.ClickException(str(exc)) from exc
    for account in found:
        click.echo(_line(account, datetime.now(UTC)))


@accounts.command("list")
def list_accounts() -> None:
    """List pages with the days that their tokens are good for."""
    for account in _store().list():
        click.echo(_line(account, datetime.now(UTC)))


@accounts.command("test")
@click.argument("name", required=False)
def test_accounts(name: str | None) -> None:
    """Look at the token of a page, or of all, now. Ends with 1 where one cannot be used."""
    from daemon.commands import wiring

    settings = wiring.ready_settings()
    watch = wiring.token_watch(settings, wiring.database(settings))
    looked = [watch.look(account) for account in ([_find(watch.store, name)] if name else watch.store.list())]
    for account in looked:
        click.echo(_line(account, datetime.now(UTC)))
    if any(account.state != "ok" for account in looked):
        raise SystemExit(1)


@accounts.command("remove")
@click.argument("name")
def remove_account(name: str) -> None:
    """Disconnect a page and forget its token. What is to be published on it is held until it is connected again."""
    from daemon.commands import wiring

    settings = wiring.ready_settings()
    database = wiring.database(settings)
    store = wiring.account_store(settings, database)
    account = _find(store, name)
    store.remove(account.id)
    wiring.vault(settings, database).drop(account.id)
    click.echo(f'"{account.name}" is disconnected.')


@click.group()
def vault() -> None:
    """Secrets at rest."""


@vault.command()
def rotate() -> None:
    """Encrypt all secrets anew: with a new key of the key file, or with the first of VIX_VAULT_KEY, before which you
    have put a new one."""
    from daemon.commands import places, wiring
    from daemon.vault import KeyFile

    settings = wiring.ready_settings()
    kept = wiring.vault(settings, wiring.database(settings))
    if settings.vault_key:
        click.echo(f"{kept.reseal()} secrets are encrypted with the first of VIX_VAULT_KEY; the others can go.")
        return
    file = KeyFile(places.vault_key_file(settings))
    file.add()
    count = kept.reseal()
    file.keep_first()
    click.echo(f"{count} secrets are encrypted with a new key, in {places.vault_key_file(settings)}. Back it up.")


def _hidden(what: str) -> str:
    """Ask for a secret without showing it; where nobody is at a terminal, it is the next line of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return str(click.prompt(what, hide_input=True, default="", show_default=False, err=True))


def _store() -> AccountStore:
    from daemon.commands import wiring

    settings = wiring.ready_settings()
    return wiring.account_store(settings, wiring.database(settings))


def _find(store: AccountStore, name: str) -> Account:
    folded = name.casefold()
    found = [one for one in store.list() if folded in (one.id, one.remote_id, one.name.casefold())]
    if len(found) != 1:
        names = ", ".join(f'"{one.name}" ({one.remote_id})' for one in store.list()) or "none is connected"
        raise click.ClickException(f"{UnknownAccount.message} Known here: {names}.")
    return found[0]


def _line(account: Account, now: datetime) -> str:
    left = account.days_left(now)
    state = "no end" if left is None else f"{left:g} days left" if account.state == "ok" else str(account.state)
    note = account.problem or account.warning
    return f"{account.id}  {account.kind}  {account.remote_id:<18}  {state:<14}  {account.name}" + (
        f"  {note}" * bool(note)
    )
