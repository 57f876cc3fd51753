"""The tables of schedules and their slots: what was asked for by the clock, and what came of it.

A slot, the turn, how far was looked and the job are written in one transaction, and only while the schedule is as it
was read: so nothing that dies, and nobody who runs beside, can lose or repeat one.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from daemon.errors import TooManySchedules, UnknownSchedule
from daemon.store.database import Database
from daemon.store.tables import ScheduleRow, SlotRow, utc_now

ID_PREFIX = "sch_"
MOST_OF_A_KEY = 100
_ID_LENGTH = 20
_LETTERS = string.ascii_lowercase + string.digits
_BATCH = 500


class SlotState(StrEnum):
    """What came of a slot."""

    RAN = "ran"  # a job was made of it
    MISSED = "missed"  # nobody was there in time
    FAILED = "failed"  # its request was refused


class Overtaken(Exception):
    """The schedule is not as it was read any more: somebody else has dealt with the slot, changed or removed it."""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule as it is handed in. `every`, `at` and `timezone` are as `daemon.slots.rule_of` reads them, `spec` is
    the JSON of a request, `lead_min` minutes by which films are made ahead; `base_url` is what links start with."""

    name: str
    kind: str
    every: Any
    at: Any
    timezone: str
    spec: dict[str, Any]
    enabled: bool = True
    lead_min: int = 0
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Schedule(NewSchedule):
    """A schedule as it is stored. Times are aware and in UTC; `turn` counts runs."""

    id: str = ""
    key_id: str = ""
    turn: int = 0
    looked_until: datetime = datetime.min
    created_at: datetime = datetime.min
    updated_at: datetime = datetime.min


@dataclass(frozen=True, slots=True)
class Slot:
    """What came of the slot at a time."""

    at: datetime
    state: SlotState
    job_id: str | None = None
    message: str = ""


class ScheduleStore:
    """The schedules. `clock` gives aware datetimes.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing. With `key_id`,
    schedules of other keys are not there.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def create(self, new: NewSchedule, key_id: str) -> Schedule:
        """Store a schedule; its slots count from now on.

        Raises:
            TooManySchedules: the key has as many as it may have.
        """
        now = self._clock()
        times = {"looked_until": now, "created_at": now, "updated_at": now}
        row = ScheduleRow(id=_new_id(), key_id=key_id, **_said(new), **times)
        with self._database.write() as connection:
            others = ScheduleRow.select(ScheduleRow.seq).where(ScheduleRow.key_id == key_id).limit(MOST_OF_A_KEY)
            if len(list(others.execute(connection))) >= MOST_OF_A_KEY:
                raise TooManySchedules(MOST_OF_A_KEY)
            ScheduleRow.insert(row.__data__).execute(connection)
        return _schedule(row)

    def replace(self, schedule_id: str, new: NewSchedule, key_id: str | None = None) -> Schedule:
        """Put another schedule in the place of one; what has run and its turn stay.

        Where it is due at the same times as before, slots that were not dealt with yet still are; otherwise its slots
        count from now on.

        Raises:
            UnknownSchedule: there is none.
        """
        with self._database.write() as connection:
            row = _row(connection, schedule_id, key_id)
            self._change(connection, row, _said(new))
        return _schedule(row)

    def set_enabled(self, schedule_id: str, enabled: bool) -> Schedule:
        """Pause a schedule, or let it go on from now; once more is no error.

        Raises:
            UnknownSchedule: there is none.
        """
        with self._database.write() as connection:
            row = _row(connection, schedule_id, None)
            if row.enabled != enabled:
                self._change(connection, row, {"enabled": enabled})
        return _schedule(row)

    def remove(self, schedule_id: str, key_id: str | None = None) -> None:
        """Remove a schedule and what is known of its slots; its jobs stay.

        Raises:
            UnknownSchedule: there is none.
        """
        with self._database.write() as connection:
            row = _row(connection, schedule_id, key_id)
            SlotRow.delete().where(SlotRow.schedule_id == row.id).execute(connection)
            ScheduleRow.delete().where(ScheduleRow.seq == row.seq).execute(connection)

    def get(self, schedule_id: str, key_id: str | None = None) -> Schedule:
        """Read a schedule.

        Raises:
            UnknownSchedule: there is none.
        """
        with self._database.read() as connection:
            return _schedule(_row(connection, schedule_id, key_id))

    def list(self, key_id: str | None = None) -> list[Schedule]:
        """Read the schedules of a key, or all, the oldest first."""
        query = ScheduleRow.select().order_by(ScheduleRow.seq)
        if key_id is not None:
            query = query.where(ScheduleRow.key_id == key_id)
        with self._database.read() as connection:
            return [_schedule(row) for row in query.execute(connection)]

    def enabled(self, key_id: str | None = None) -> Sequence[Schedule]:
        """Read those of a key, or all, that are not paused, the oldest first, without their specs, which may be
        large."""
        columns = [field for name, field in ScheduleRow._meta.fields.items() if name != "spec"]
        query = ScheduleRow.select(*columns).where(ScheduleRow.enabled == True)  # noqa: E712 - it becomes SQL
        if key_id is not None:
            query = query.where(ScheduleRow.key_id == key_id)
        with self._database.read() as connection:
            return [_schedule(row) for row in query.order_by(ScheduleRow.seq).execute(connection)]

    def last(self, schedule_id: str) -> Slot | None:
        """Read what came last of a schedule."""
        query = SlotRow.select().where(SlotRow.schedule_id == schedule_id).order_by(SlotRow.seq.desc()).limit(1)
        with self._database.read() as connection:
            return next((_slot(row) for row in query.execute(connection)), None)

    def slots(self, schedule_id: str, after: datetime) -> Sequence[Slot]:
        """Read what came of the slots that are later than a time, the earliest first."""
        query = SlotRow.select().where(SlotRow.schedule_id == schedule_id, SlotRow.at > after)
        with self._database.read() as connection:
            return [_slot(row) for row in query.order_by(SlotRow.at).execute(connection)]

    def ran(self, schedule: Schedule, at: datetime, *, by_hand: bool = False) -> Callable[[Any, str], None]:
        """Write, within the transaction that submits its job, that a slot has run.

        What is given back raises Overtaken where the schedule is not as it was read, or the slot has run. `by_hand`: it
        is no slot of the rule, so that nothing is said of those.
        """

        def write(connection: Any, job_id: str) -> None:
            row = _unchanged(connection, schedule)
            if not by_hand and _has_run(connection, schedule.id, at):
                raise Overtaken
            looked_until = schedule.looked_until if by_hand else max(at, schedule.looked_until)
            _advance(connection, row, turn=schedule.turn + 1, looked_until=looked_until)
            _insert(connection, schedule.id, [Slot(at, SlotState.RAN, job_id)])

        return write

    def did_not_run(self, schedule: Schedule, slots: Sequence[Slot], looked_until: datetime) -> None:
        """Write down what came of slots that did not run, and that all up to a time are dealt with.

        Raises:
            Overtaken: the schedule is not as it was read.
        """
        with self._database.write() as connection:
            row = _unchanged(connection, schedule)
            _advance(connection, row, looked_until=max(looked_until, schedule.looked_until))
            _insert(connection, schedule.id, [slot for slot in slots if not _has_run(connection, schedule.id, slot.at)])

    def forget(self, before: datetime) -> int:
        """Remove what came of slots from before a time; how many there were."""
        query = SlotRow.delete().where(SlotRow.at < before)
        with self._database.write() as connection:
            count: int = query.execute(connection)
        return count

    def _change(self, connection: Any, row: Any, values: dict[str, Any]) -> None:
        now = self._clock()
        about = ("every", "at", "timezone", "lead_min", "enabled")
        goes_on = row.enabled and all(values.get(name, getattr(row, name)) == getattr(row, name) for name in about)
        if not goes_on:
            values = values | {"looked_until": now}
        _advance(connection, row, **values, updated_at=now)


def _said(new: NewSchedule) -> dict[str, Any]:
    return {name: getattr(new, name) for name in NewSchedule.__dataclass_fields__}


def _new_id() -> str:
    return ID_PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


def _row(connection: Any, schedule_id: str, key_id: str | None) -> Any:
    query = ScheduleRow.select().where(ScheduleRow.id == schedule_id)
    if key_id is not None:
        query = query.where(ScheduleRow.key_id == key_id)
    rows = list(query.execute(connection))
    if not rows:
        raise UnknownSchedule
    return rows[0]


def _unchanged(connection: Any, schedule: Schedule) -> Any:
    rows = list(ScheduleRow.select().where(ScheduleRow.id == schedule.id).execute(connection))
    seen = (schedule.turn, schedule.looked_until, schedule.updated_at, schedule.enabled)
    for row in rows:
        if (row.turn, row.looked_until, row.updated_at, row.enabled) == seen:
            return row
    raise Overtaken


def _advance(connection: Any, row: Any, **values: Any) -> None:
    ScheduleRow.update(values).where(ScheduleRow.seq == row.seq).execute(connection)
    for name, value in values.items():
        setattr(row, name, value)


def _has_run(connection: Any, schedule_id: str, at: datetime) -> bool:
    query = SlotRow.select(SlotRow.seq).where(SlotRow.schedule_id == schedule_id, SlotRow.at == at)
    return bool(list(query.where(SlotRow.state == SlotState.RAN).execute(connection)))


def _insert(connection: Any, schedule_id: str, slots: Sequence[Slot]) -> None:
    """Write what came of slots, in the place of what was written before: by a clock that was put back, one that was
    missed may come again."""
    for start in range(0, len(slots), _BATCH):
        batch = slots[start : start + _BATCH]
        these = (SlotRow.schedule_id == schedule_id, SlotRow.at << [slot.at for slot in batch])
        SlotRow.delete().where(*these).execute(connection)
        rows = [
            {"schedule_id": schedule_id, "at": slot.at, "state": slot.state, "job_id": slot.job_id,
             "message": slot.message}
            for slot in batch
        ]  # fmt: skip
        SlotRow.insert_many(rows).execute(connection)


def _schedule(row: Any) -> Schedule:
    """The schedule of a row, whose spec may not have been read."""
    names = Schedule.__dataclass_fields__
    return Schedule(**{name: getattr(row, name) for name in names if name != "spec"}, spec=row.__data__.get("spec", {}))


def _slot(row: Any) -> Slot:
    return Slot(row.at, SlotState(row.state), row.job_id, row.message)
