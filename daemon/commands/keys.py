"""`vix keys`: makes, lists, changes, rotates and revokes API keys."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon.errors import UnknownKey

if TYPE_CHECKING:
    from daemon.store.keys import Key, KeyStore, OwnLimits


class _Hours(click.FloatRange):
    """Hours up to a month. Not a number is between any two numbers for click."""

    def __init__(self) -> None:
        super().__init__(0, 720)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        hours = super().convert(value, param, ctx)
        return self.fail("it has to be a number.", param, ctx) if math.isnan(hours) else hours


_LIMIT = click.IntRange(0, 1_000_000_000)


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--scopes", default="submit,read", show_default=True, help="Some of submit, read, metrics.")
@click.option("--per-minute", type=_LIMIT, help="Jobs in a minute; 0 is no limit.")
@click.option("--per-day", type=_LIMIT, help="Jobs in a day; 0 is no limit.")
@click.option("--waiting", type=_LIMIT, help="Jobs that may wait at once; 0 is no limit.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires.")
@click.option("--publish", help="Where its films go unless a request says otherwise: the JSON of `publish`.")
def create_key(
    name: str,
    scopes: str,
    per_minute: int | None,
    per_day: int | None,
    waiting: int | None,
    days: int | None,
    publish: str | None,
) -> None:
    """Make a key. It is shown once, alone on the last line."""
    limits = _limits(per_minute, per_day, waiting)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    try:
        goes_to = _publish(publish) if publish else None
        key, secret = _store().create(
            name, scopes=_words(scopes), limits=limits, expires_at=expires_at, publish=goes_to
        )
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--scopes") from exc
    click.echo(f'Key {key.id} for "{name}". It is not shown again:', err=True)
    click.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """List keys, without their secrets."""
    now = datetime.now(UTC)
    for key in _store().list():
        click.echo(f"{key.id}  {key.created_at:%Y-%m-%d}  {_state(key, now):<20}  {_terms(key):<40}  {key.name}")


@keys.command("rotate")
@click.argument("key_id")
@click.option("--overlap-h", default=24.0, show_default=True, type=_Hours(), help="Hours of the old secret.")
def rotate_key(key_id: str, overlap_h: float) -> None:
    """Give a key a new secret; the old one works a while longer. It is shown once, alone on the last line."""
    try:
        key, secret = _store().rotate(key_id, timedelta(hours=overlap_h))
    except UnknownKey as exc:
        raise _no_such(key_id) from exc
    click.echo(
        f"Key {key.id} has a new secret; the old one works for {overlap_h:g} hours. It is not shown again:", err=True
    )
    click.echo(secret)


@keys.command("change")
@click.argument("key_id")
@click.option("--scopes", help="Some of submit, read, metrics.")
@click.option("--per-minute", type=_LIMIT, help="Jobs in a minute; 0 is no limit.")
@click.option("--per-day", type=_LIMIT, help="Jobs in a day; 0 is no limit.")
@click.option("--waiting", type=_LIMIT, help="Jobs that may wait at once; 0 is no limit.")
@click.option("--publish", help="Where its films go unless a request says otherwise: the JSON of `publish`, or none.")
def change_key(
    key_id: str,
    scopes: str | None,
    per_minute: int | None,
    per_day: int | None,
    waiting: int | None,
    publish: str | None,
) -> None:
    """Change what a key may do; what is not named stays."""
    new = _limits(per_minute, per_day, waiting)
    goes_to = None if publish in (None, "none", "") else _publish(str(publish))

    def edit(key: Key) -> Key:
        merged = {name: getattr(new, name) for name in ("per_minute", "per_day", "waiting")}
        own = replace(key.own_limits, **{name: value for name, value in merged.items() if value is not None})
        return replace(
            key,
            own_limits=own,
            scopes=frozenset(_words(scopes)) if scopes else key.scopes,
            publish=key.publish if publish is None else goes_to,
        )

    try:
        key = _store().change(key_id, edit)
    except UnknownKey as exc:
        raise _no_such(key_id) from exc
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--scopes") from exc
    click.echo(f"Key {key.id}: {_terms(key)}")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End a key's life at once; once more is no error."""
    store = _store()
    if not store.revoke(key_id):
        try:
            store.get(key_id)
        except UnknownKey as exc:
            raise _no_such(key_id) from exc
    click.echo(f"Key {key_id} is revoked.")


@keys.command("webhook")
@click.argument("key_id")
def webhook_secret(key_id: str) -> None:
    """Print the secret that callbacks of a key's jobs are signed with; `operator` names that of VIX_CALLBACK_URL."""
    try:
        click.echo(_store().hook_secrets(key_id)[0])
    except UnknownKey as exc:
        raise _no_such(key_id) from exc


def _store() -> KeyStore:
    from daemon.commands import wiring

    return wiring.key_store(wiring.ready_settings())


def _publish(text: str) -> dict[str, Any]:
    """Read where films go, and see that the accounts are connected.

    Raises:
        SpecError: with every wrong field.
    """
    from daemon.commands import wiring
    from daemon.publishing import parse_publish

    try:
        data = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"it is not JSON: {exc}", param_hint="--publish") from exc
    settings = wiring.ready_settings()
    wiring.publishing(settings, wiring.database(settings)).read(parse_publish(data))
    return dict(data)


def _no_such(key_id: str) -> click.ClickException:
    return click.ClickException(f"there is no key {key_id}; `vix keys list` shows the ids")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _limits(per_minute: int | None, per_day: int | None, waiting: int | None) -> OwnLimits:
    from daemon.store.keys import OwnLimits

    return OwnLimits(per_minute, per_day, waiting)


def _state(key: Key, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at:
        return f"{'expired' if key.expires_at <= now else 'until'} {key.expires_at:%Y-%m-%d}"
    return "active"


def _terms(key: Key) -> str:
    limits = key.limits
    numbers = (f"{value or 'any'}/{unit}" for value, unit in ((limits.per_minute, "min"), (limits.per_day, "day")))
    return f"{','.join(sorted(key.scopes))} {' '.join(numbers)} {limits.waiting or 'any'} waiting"
