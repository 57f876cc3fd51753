"""`vix deliveries`: lists what is to be published, and ends what the far side cannot tell of. `vix alert`: tells the
operator something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from daemon.deliveries.life import OUTCOMES, State
from daemon.errors import BadUrl, UnknownDelivery, WrongState

if TYPE_CHECKING:
    from daemon.store.deliveries import DeliveryStore

_MOST = 1000


@click.group()
def deliveries() -> None:
    """Films on their way to pages."""


@deliveries.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, _MOST), help="So many, the newest.")
def list_deliveries(state: str | None, limit: int) -> None:
    """List deliveries of all keys, the newest first."""
    for one in _store().page(None, states=[State(state)] if state else [], limit=limit).deliveries:
        note = one.error.message if one.error else one.remote.get("link") or ""
        click.echo(f"{one.id}  {one.due_at:%Y-%m-%d %H:%M}  {one.state:<9}  {one.job_id}  {one.account_name}  {note}")


@deliveries.command("resolve")
@click.argument("delivery_id", metavar="ID")
@click.argument("outcome", type=click.Choice(list(OUTCOMES)))
@click.option("--link", default="", help="Where it is published.")
def resolve_delivery(delivery_id: str, outcome: str, link: str) -> None:
    """Say what you have seen of a delivery that is `unknown`: it is published, it is not and goes out again, or it is
    given up."""
    from daemon.outbound.urls import parse

    try:
        if link:
            parse(link)
        found = _store().resolve(delivery_id, None, OUTCOMES[outcome], link)
    except BadUrl as exc:
        raise click.BadParameter(str(exc), param_hint="--link") from exc
    except (UnknownDelivery, WrongState) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{found.id} is {found.state}.")


@click.command()
@click.argument("subject")
@click.argument("text")
def alert(subject: str, text: str) -> None:
    """Tell the operator something through VIX_ALERT_URLS and VIX_CALLBACK_URL."""
    from daemon.alerts import tell
    from daemon.commands import wiring
    from daemon.store.notices import AlertStore, Notice, Notices

    settings = wiring.ready_settings()
    urls = wiring.alert_urls(settings)
    was_told = bool(urls) and tell(urls, subject, text)
    notices = Notices(settings.callback_url.get_secret_value(), has_channels=bool(urls) and not was_told)
    if not urls and not notices.operator_url:
        raise click.ClickException("nobody can be told: set VIX_ALERT_URLS or VIX_CALLBACK_URL")
    # What no channel has taken now, the worker tries again.
    AlertStore(wiring.database(settings)).add(Notice("operator.alert", subject, text), notices)
    click.echo("Told." if was_told else "It waits to be told.")


def _store() -> DeliveryStore:
    from daemon.commands import wiring

    settings = wiring.ready_settings()
    return wiring.delivery_store(settings, wiring.database(settings))
