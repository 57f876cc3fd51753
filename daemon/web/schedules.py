"""`/v1/schedules`: films that are asked for by the clock. Each belongs to the key that made it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon.describe import describe
from daemon.errors import DatabaseBusy, UnknownSchedule
from daemon.orders import CALLBACK_FIELDS
from daemon.outbound.urls import without_secrets
from daemon.schedules import Checks, job_of, read_schedule
from daemon.slots import next_slot, rule_of
from daemon.store.jobs import Submitted
from daemon.store.schedules import NewSchedule, Overtaken, Schedule, Slot
from daemon.web import parameters
from daemon.web.answers import Answer, listing
from daemon.web.bodies import parse_body, read_body
from daemon.web.call import Call
from daemon.web.generate import outlook_of
from daemon.web.repeats import REPLAYED, repeat, repeat_word
from daemon.web.services import Services
from render.errors import SpecError

HIDDEN = "..."
_ID = re.compile(r"sch_[a-z0-9]{20}")
# How often a worker may come in between: it deals with a schedule once in many seconds.
_TRIES = 5


async def schedules(call: Call) -> Response:
    """Answer with the key's schedules, the oldest first."""
    parameters.read(call, {})
    return listing(await call.blocking(_all, call))


async def create_schedule(call: Call) -> Response:
    """Store a schedule."""
    raw = await read_body(call.request)
    answer = await call.blocking(_create, call, raw)
    return Answer(answer, 201, {"location": f"{call.links.base}/v1/schedules/{answer['id']}"})


async def schedule(call: Call) -> Response:
    """Answer with one schedule."""
    parameters.read(call, {})
    return Answer(await call.blocking(_one, call, schedule_id(call)))


async def replace_schedule(call: Call) -> Response:
    """Put another schedule in the place of one."""
    found = schedule_id(call)
    raw = await read_body(call.request)
    return Answer(await call.blocking(_replace, call, found, raw))


async def remove_schedule(call: Call) -> Response:
    """Remove a schedule; the jobs that it made stay."""
    await call.blocking(call.services.schedules.remove, schedule_id(call), call.key_id)
    return Response(status_code=204, headers={"cache-control": "no-store"})


async def run_schedule(call: Call) -> Response:
    """Make a job of the schedule's request now; the next run is the turn after it."""
    found = schedule_id(call)
    word = repeat_word(call.request.headers)
    submitted, answer = await call.blocking(_run, call, found, word)
    headers = {"location": answer["status_url"]}
    if submitted.repeated:
        return Answer(answer, 202, headers | {REPLAYED: "true"})
    return Answer(answer, 202, headers, background=BackgroundTask(call.blocking, call.services.ring, submitted.job.id))


def schedule_id(call: Call) -> str:
    """Take the schedule's id out of the path.

    Raises:
        UnknownSchedule: it cannot be one.
    """
    found: str = call.request.path_params["schedule_id"]
    if not _ID.fullmatch(found):
        raise UnknownSchedule
    return found


def _all(call: Call) -> list[dict[str, Any]]:
    return [_described(call, one) for one in call.services.schedules.list(call.key_id)]


def _one(call: Call, found: str) -> dict[str, Any]:
    return _described(call, call.services.schedules.get(found, call.key_id))


def _create(call: Call, raw: bytes) -> dict[str, Any]:
    return _described(call, call.services.schedules.create(_read(call, raw), call.key_id))


def _replace(call: Call, found: str, raw: bytes) -> dict[str, Any]:
    old = call.services.schedules.get(found, call.key_id)
    return _described(call, call.services.schedules.replace(found, _read(call, raw, old), call.key_id))


def _read(call: Call, raw: bytes, old: Schedule | None = None) -> NewSchedule:
    """Read a schedule. What is hidden in answers and comes back as it was shown is taken to be as it is in `old`.

    Raises:
        NotJson, SpecError: as `parse_body` and `read_schedule` do.
        TooManyRequests: the key does it too often.
    """
    services = call.services
    services.schedule_changes.take(call.key_id, services.now())

    def parse(data: object) -> NewSchedule:
        if old and isinstance(data, dict) and isinstance(data.get("spec"), dict):
            data = data | {"spec": _unhidden(data["spec"], old.spec)}
        return read_schedule(data, _checks(services), services.now(), call.links.base)

    return parse_body(raw).parse_with(parse)


def _run(call: Call, found: str, word: str | None) -> tuple[Submitted, dict[str, Any]]:
    services = call.services
    known_by = repeat(word, call.request.scope["path"], {})
    submitted = services.jobs.submitted(call.key_id, known_by) if known_by else None
    for _ in range(_TRIES):
        if submitted is not None:
            return submitted, describe(submitted.job, outlook_of(services, submitted.job), call.links)
        one, now = services.schedules.get(found, call.key_id), services.now()
        new = replace(job_of(one, now, now, _checks(services)), base_url=call.links.base)
        also = services.schedules.ran(one, now, by_hand=True)
        try:
            submitted = services.jobs.submit(new, limits=call.limits, repeat=known_by, also=also)
        except Overtaken:
            continue
    if submitted is None:
        raise DatabaseBusy
    return submitted, describe(submitted.job, outlook_of(services, submitted.job), call.links)


def _checks(services: Services) -> Checks:
    return Checks(services.library, services.fonts, services.publishing, services.check_url)


def _described(call: Call, one: Schedule) -> dict[str, Any]:
    last, following = call.services.schedules.last(one.id), next_run(one, call.services.now())
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "every": one.every,
        "at": one.at,
        "timezone": one.timezone,
        "spec": _hidden(one.spec),
        "enabled": one.enabled,
        "lead_min": one.lead_min,
        "turn": one.turn,
        "next_run": following and following.isoformat(),
        "last_run": last and _last_run(last),
        "created_at": one.created_at.isoformat(timespec="milliseconds"),
        "updated_at": one.updated_at.isoformat(timespec="milliseconds"),
    }


def next_run(one: Schedule, now: datetime) -> datetime | None:
    """The next slot that was not dealt with, on the schedule's own clock."""
    try:
        rule = rule_of(one.every, one.at, one.timezone)
    except SpecError:  # a zone that is no more
        return None
    return next_slot(rule, max(now, one.looked_until)).astimezone(rule.zone) if one.enabled else None


def _last_run(slot: Slot) -> dict[str, Any]:
    at = slot.at.isoformat(timespec="milliseconds")
    return {"at": at, "state": slot.state, "job_id": slot.job_id, "message": slot.message}


def _hidden(spec: dict[str, Any]) -> dict[str, Any]:
    """The request without the secrets of its callback."""
    shown = dict(spec)
    for name in CALLBACK_FIELDS:
        if isinstance(value := spec.get(name), dict):
            shown[name] = dict.fromkeys(value, HIDDEN)
        elif isinstance(value, str):
            shown[name] = without_secrets(value)
    return shown


def _unhidden(spec: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    shown, meant = _hidden(old), dict(spec)
    for name in CALLBACK_FIELDS:
        value = spec.get(name)
        if isinstance(value, dict) and isinstance(kept := old.get(name), dict):
            meant[name] = {key: kept.get(key, text) if text == HIDDEN else text for key, text in value.items()}
        elif isinstance(value, str) and value == shown.get(name):
            meant[name] = old[name]
    return meant
