"""What can be asked for by the clock: how a schedule is read and checked, and the job that one of its slots makes.

Knows neither who hands it in nor when it is due.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, WithJsonSchema, field_validator

from daemon.errors import UrlRefused
from daemon.jobs import NewJob
from daemon.kinds import KINDS
from daemon.orders import CALLBACK_FIELDS, new_job
from daemon.publishing import Publishing
from daemon.rotation import resolved, turns_to_try
from daemon.slots import HOURS, MOST_TIMES, WEEKDAYS, next_slot, rule_of
from daemon.sources.library import Library
from daemon.store.schedules import NewSchedule, Schedule
from fonts_cache import FontCache
from render.errors import FieldProblem, SpecError
from render.fieldtypes import Whole
from render.problems import did_you_mean, problems
from render.strict import Strict

MOST_LEAD_MIN = 1_440
# A list has all of a key's schedules, whole.
MOST_SPEC_BYTES = 128 * 1024
T = TypeVar("T")
_RULE = ("every", "at", "timezone")
_DAYS = {"type": "array", "items": {"enum": list(WEEKDAYS)}, "minItems": 1, "maxItems": 7, "uniqueItems": True}
_EVERY = {"anyOf": [{"enum": [*WEEKDAYS, "day", "weekday", *(f"{n} hours" for n in HOURS)]}, _DAYS]}
_TIME = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_TIMES = {"type": "array", "items": _TIME, "minItems": 1, "maxItems": MOST_TIMES, "uniqueItems": True}
_AT = {"anyOf": [_TIME, _TIMES, {"type": "null"}]}


class ScheduleBody(Strict):
    """A schedule: which films are asked for, and when."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = Field(description="For people.")
    every: Annotated[Any, WithJsonSchema(_EVERY)] = Field(
        description="A weekday, a list of them, `day`, `weekday` (Monday to Friday), or `6 hours` and the like."
    )
    at: Annotated[Any, WithJsonSchema(_AT)] = Field(
        None, description="Local time, or a list of them; with hours the first one, 00:00 by default."
    )
    timezone: Annotated[Any, WithJsonSchema({"type": "string"})] = Field(
        "UTC", description="An IANA name such as `Europe/Berlin`."
    )
    spec: dict[str, Any] = Field(
        description="The request, as `POST /v1/generate` takes it. In `variables`, a list is rotated through, one step "
        'a run, and `{"date": "%d.%m.%Y"}` is the day of the run.'
    )
    enabled: bool = Field(True, description="False pauses it: its slots pass unused.")
    lead_min: Annotated[Whole, Field(ge=0, le=MOST_LEAD_MIN)] = Field(
        0, description="Minutes by which films are made ahead; what is published then waits for its time."
    )
    kind: str = Field("template", description="The kind of film.")

    @field_validator("name")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must have printable characters only")
        return value

    @field_validator("spec")
    @classmethod
    def _small(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value, separators=(",", ":"))) > MOST_SPEC_BYTES:
            raise ValueError(f"must be at most {MOST_SPEC_BYTES // 1024} kB of JSON in ASCII")
        return value

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in KINDS:
            raise ValueError(f"must be {' or '.join(KINDS)}.{did_you_mean(value, KINDS)}")
        return value


@dataclass(frozen=True, slots=True)
class Checks:
    """What requests are checked against. `check_url` raises UrlRefused for a callback that will not be sent."""

    library: Library
    fonts: FontCache
    publishing: Publishing
    check_url: Callable[[str], None]


def read_schedule(data: object, checks: Checks, now: datetime, base_url: str) -> NewSchedule:
    """Read a schedule and make sure that every film it will ask for can be asked for as things are now.

    Raises:
        SpecError: with every wrong field at once; those of the request as `spec.video.style`.
    """
    wrong: list[FieldProblem] = []
    body = None
    try:
        body = ScheduleBody.model_validate(data)
    except ValidationError as exc:
        wrong += problems(exc, ScheduleBody)
    members = data if isinstance(data, dict) else {}
    at = now
    if "every" in members:
        try:
            rule = rule_of(members["every"], members.get("at"), members.get("timezone", "UTC"))
            at = next_slot(rule, now).astimezone(rule.zone)
        except SpecError as exc:
            wrong += exc.problems
    seen = {problem.field for problem in wrong}
    if isinstance(members.get("spec"), dict) and "spec" not in seen:
        kind = members.get("kind", "template") if "kind" not in seen else "template"
        wrong += _wrong_in(members["spec"], kind, at, checks)
    if wrong or body is None:
        raise SpecError(wrong)
    said = {name: getattr(body, name) for name in ("name", "kind", *_RULE, "spec", "enabled", "lead_min")}
    return NewSchedule(**said, base_url=base_url)


def job_of(schedule: Schedule, at: datetime, now: datetime, checks: Checks) -> NewJob:
    """Make the job of a slot, in the schedule's turn. What is published of a film that is made ahead waits for it.

    Raises:
        SpecError: the request cannot be made any more; a style may have gone since.
    """
    local = at.astimezone(ZoneInfo(schedule.timezone))
    order = _below_spec(lambda: resolved(schedule.spec, schedule.turn, local))
    if at > now:
        order = published_at(_with_usual(order, schedule.key_id, checks), local)
    spec = _below_spec(lambda: KINDS[schedule.kind].read(order, checks.library, checks.fonts))

    def make() -> NewJob:
        return new_job(
            schedule.kind,
            order,
            spec,
            key_id=schedule.key_id,
            base_url=schedule.base_url,
            fonts=checks.fonts,
            publishing=checks.publishing,
        )

    return _below_spec(make)


def _with_usual(order: dict[str, Any], key_id: str, checks: Checks) -> dict[str, Any]:
    """Write out where the key publishes unless a request says otherwise: a film that is made ahead waits there, too."""
    if order.get("publish") is not None:
        return order
    usual = checks.publishing.usual(key_id)
    return {**order, "publish": dict(usual)} if usual else order


def published_at(order: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Have every target of a request that names no time wait for this one."""
    targets = order.get("publish")
    if not isinstance(targets, dict):
        return order
    return {**order, "publish": {name: _timed(target, at.isoformat()) for name, target in targets.items()}}


def _timed(target: Any, at: str) -> Any:
    """The posts of one target, with this time where they name none."""
    if isinstance(target, list):
        return [_timed(post, at) for post in target]
    return {**target, "at": at} if isinstance(target, dict) and target.get("at") is None else target


def _wrong_in(spec: dict[str, Any], kind: str, at: datetime, checks: Checks) -> tuple[FieldProblem, ...]:
    try:
        read = _below_spec(lambda: KINDS[kind].read(resolved(spec, 0, at), checks.library, checks.fonts))
        _check_callback(spec, read, checks)
        if read.publish is not None:
            _below_spec(lambda: checks.publishing.read(read.publish))
        for one in turns_to_try(spec):
            _try(one, kind, at, checks)
    except SpecError as exc:
        return exc.problems
    return ()


def _check_callback(spec: dict[str, Any], read: Any, checks: Checks) -> None:
    try:
        if read.callback_url is not None:
            checks.check_url(read.callback_url)
    except UrlRefused as exc:
        field = next(name for name in CALLBACK_FIELDS if name in spec)
        raise SpecError([FieldProblem(f"spec.{field}", str(exc), "string")]) from None


def _try(spec: dict[str, Any], kind: str, at: datetime, checks: Checks) -> None:
    """Read a request as it is in a later turn."""
    try:
        _below_spec(lambda: KINDS[kind].read(resolved(spec, 0, at), checks.library, checks.fonts))
    except SpecError as exc:
        hint = "; it does with the first values of variables, but not with later ones"
        later = [FieldProblem(one.field, one.message.rstrip(".") + hint, one.value_type) for one in exc.problems]
        raise SpecError(later) from None


def _below_spec(read: Callable[[], T]) -> T:
    try:
        return read()
    except SpecError as exc:
        raise SpecError([_below(problem) for problem in exc.problems]) from None


def _below(problem: FieldProblem) -> FieldProblem:
    field = "spec" if problem.field == "(body)" else f"spec.{problem.field}"
    return FieldProblem(field, problem.message, problem.value_type)
