"""`vix schedules`: lists, adds, pauses, resumes, removes and runs schedules, whosever they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import click

from daemon.errors import UnknownKey, UnknownSchedule

if TYPE_CHECKING:
    from daemon.settings import Settings
    from daemon.store.schedules import Schedule, ScheduleStore

_NEVER = "-"


@click.group()
def schedules() -> None:
    """Films that are asked for by the clock."""


@schedules.command("list")
def list_schedules() -> None:
    """List all schedules with their next and last run."""
    store, now = _store(), datetime.now(UTC)
    for one in store.list():
        last = store.last(one.id)
        came = f"{last.state} {last.at:%Y-%m-%d %H:%M}Z" if last else _NEVER
        click.echo(f"{one.id}  {one.key_id}  {_next(one, now):<32}  {came:<24}  {one.name}")


@schedules.command("add")
@click.argument("file", type=click.File("rb"))
@click.option("--key", "key_id", required=True, metavar="KEY_ID", help="The key that it belongs to.")
def add_schedule(file: BinaryIO, key_id: str) -> None:
    """Add the schedule in FILE (JSON as POST /v1/schedules takes it, or - for standard input)."""
    from daemon.commands import wiring
    from daemon.schedules import read_schedule
    from daemon.store.schedules import ScheduleStore
    from daemon.web.bodies import BodyError, parse_body

    settings = wiring.ready_settings()
    database = wiring.database(settings)
    try:
        wiring.key_store(settings, database).get(key_id)
        body = parse_body(file.read())
    except UnknownKey as exc:
        raise click.ClickException(f"there is no key {key_id}; `vix keys list` shows the ids") from exc
    except BodyError as exc:
        raise click.ClickException(f"{file.name}: {exc}") from exc
    checks = wiring.schedule_checks(settings, database)
    new = body.parse_with(lambda data: read_schedule(data, checks, datetime.now(UTC), _base_url(settings)))
    click.echo(ScheduleStore(database).create(new, key_id).id)


@schedules.command("pause")
@click.argument("schedule_id", metavar="ID")
def pause_schedule(schedule_id: str) -> None:
    """Let a schedule's slots pass unused."""
    _set_enabled(schedule_id, enabled=False)


@schedules.command("resume")
@click.argument("schedule_id", metavar="ID")
def resume_schedule(schedule_id: str) -> None:
    """Let a schedule go on from now."""
    _set_enabled(schedule_id, enabled=True)


@schedules.command("remove")
@click.argument("schedule_id", metavar="ID")
def remove_schedule(schedule_id: str) -> None:
    """Remove a schedule; its jobs stay."""
    try:
        _store().remove(schedule_id)
    except UnknownSchedule as exc:
        raise _no_such(schedule_id) from exc
    click.echo(f"Schedule {schedule_id} is removed.")


@schedules.command("run")
@click.argument("schedule_id", metavar="ID")
def run_schedule(schedule_id: str) -> None:
    """Run a schedule now, in its turn, as a job of its key. Prints the job's id."""
    from daemon.commands import wiring
    from daemon.queue import Doorbell
    from daemon.schedules import job_of
    from daemon.store.jobs import JobStore
    from daemon.store.schedules import Overtaken, ScheduleStore

    settings, now = wiring.ready_settings(), datetime.now(UTC)
    database = wiring.database(settings)
    store = ScheduleStore(database)
    try:
        one = store.get(schedule_id)
        key = wiring.key_store(settings, database).get(one.key_id)
        if not key.is_open(now):
            raise click.ClickException(f"its key {key.id} is revoked or expired")
        new = job_of(one, now, now, wiring.schedule_checks(settings, database))
        also = store.ran(one, now, by_hand=True)
        job = JobStore(database).submit(new, limits=key.limits, also=also).job
    except UnknownSchedule as exc:
        raise _no_such(schedule_id) from exc
    except Overtaken as exc:
        raise click.ClickException("it runs or is changed just now; try again") from exc
    Doorbell(wiring.queue_target(settings)).ring(job.id)
    click.echo(job.id)


def _set_enabled(schedule_id: str, *, enabled: bool) -> None:
    try:
        one = _store().set_enabled(schedule_id, enabled)
    except UnknownSchedule as exc:
        raise _no_such(schedule_id) from exc
    click.echo(f"Schedule {one.id}: {_next(one, datetime.now(UTC))}")


def _store() -> ScheduleStore:
    from daemon.commands import wiring
    from daemon.store.schedules import ScheduleStore

    return ScheduleStore(wiring.database(wiring.ready_settings()))


def _no_such(schedule_id: str) -> click.ClickException:
    return click.ClickException(f"there is no schedule {schedule_id}; `vix schedules list` shows the ids")


def _next(one: Schedule, now: datetime) -> str:
    from daemon.slots import next_slot, rule_of

    if not one.enabled:
        return "paused"
    rule = rule_of(one.every, one.at, one.timezone)
    return f"next {next_slot(rule, max(now, one.looked_until)).astimezone(rule.zone):%a %Y-%m-%d %H:%M %z}"


def _base_url(settings: Settings) -> str:
    """What links in callbacks start with, where nobody has asked over HTTP."""
    if settings.public_url:
        return str(settings.public_url).rstrip("/")
    return f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
