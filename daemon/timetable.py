"""Makes jobs of the schedules' slots when they are due. Knows neither who calls it nor how often.

Slots are late by as much as nobody was there. The latest of those that were missed runs once if it is young enough; the
others are reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daemon import failpoints
from daemon.errors import StoreError, TooManyRequests, UnknownKey, UnknownSchedule
from daemon.schedules import Checks, job_of
from daemon.slots import rule_of, slots_between
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.schedules import Overtaken, Schedule, ScheduleStore, Slot, SlotState
from daemon.store.tables import utc_now
from render.errors import SpecError

EVERY_MIN = 0.25
LOOK_EVERY_S = 5.0
# No later than that, a slot counts as met, whatever else is late.
_IN_TIME = timedelta(minutes=2)
# More than the clocks of two machines should differ by, or one is put right by.
_CLOCKS_DIFFER = timedelta(hours=2)
# Beyond that many of a schedule, those that were missed first are counted and not kept.
_MOST_KEPT = 1_000
_MISSED = "Vix was not running, or late."
_log = logging.getLogger(__name__)

Report = Callable[[str, str], object]
"""`report(subject, sentence)` tells the operator."""


class Refused(Exception):
    """No job can be made of a slot; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The tables that it works on, and what requests are checked against."""

    schedules: ScheduleStore
    jobs: JobStore
    keys: KeyStore
    checks: Checks


def log_report(subject: str, sentence: str) -> None:
    """Report to the log."""
    _log.warning(sentence, extra={"action": "schedule", "subject": subject})


class Timetable:
    """Deals with slots that are due. `clock` gives aware datetimes; `young` is how old a missed slot may be that still
    runs; `ring` wakes the worker for a job id."""

    def __init__(
        self,
        stores: Stores,
        ring: Callable[[str], object],
        young: timedelta,
        report: Report = log_report,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._stores = stores
        self._ring = ring
        self._young = young
        self._report = report
        self._clock = clock
        self._warned: set[str] = set()

    def run_due(self) -> None:
        """Deal with every slot that is due. What goes wrong with one schedule harms no other.

        Raises:
            StoreError: as the stores do; what is not dealt with then is so the next time.
        """
        for schedule in self._stores.schedules.enabled():
            try:
                self._run_due_of(schedule)
            except StoreError:
                raise
            except Exception as exc:
                told = {"action": "schedule_failed", "schedule": schedule.id}
                _log.error("A schedule could not be dealt with.", exc_info=exc, extra=told)

    def _run_due_of(self, schedule: Schedule) -> None:
        now = self._clock()
        due = self._due(schedule, now)
        if not due:
            return
        running = self._to_run(due, now)
        missed = [at for at in due if at not in running]
        try:
            full = self._stores.schedules.get(schedule.id)
            if replace(full, spec=schedule.spec) != schedule:
                return
            if missed:
                full = self._miss(full, missed)
            for at in running:
                full = self._run(full, at, now)
        except (Overtaken, UnknownSchedule):
            return  # somebody else deals with it, or the next turn does

    def _due(self, schedule: Schedule, now: datetime) -> list[datetime]:
        rule = rule_of(schedule.every, schedule.at, schedule.timezone)
        lead = timedelta(minutes=schedule.lead_min)
        if schedule.looked_until > now + lead + _CLOCKS_DIFFER and schedule.id not in self._warned:
            self._warned.add(schedule.id)
            self._tell(schedule, _put_back_sentence(schedule))
        due = slots_between(rule, schedule.looked_until, now + lead)
        if not due:
            return due
        known = self._stores.schedules.slots(schedule.id, schedule.looked_until)
        have_run = {slot.at for slot in known if slot.state is SlotState.RAN}
        return [at for at in due if at not in have_run]

    def _to_run(self, due: Sequence[datetime], now: datetime) -> list[datetime]:
        """Those that are ahead or in time, and the latest of the others if it is young enough."""
        past = [at for at in due if at <= now]
        latest = past[-1:] if past and now - past[-1] <= self._young else []
        return [at for at in due if at > now or now - at <= _IN_TIME or at in latest]

    def _miss(self, schedule: Schedule, missed: Sequence[datetime]) -> Schedule:
        slots = [Slot(at, SlotState.MISSED, message=_MISSED) for at in missed[-_MOST_KEPT:]]
        self._stores.schedules.did_not_run(schedule, slots, missed[-1])
        self._tell(schedule, _missed_sentence(schedule, missed))
        return replace(schedule, looked_until=max(missed[-1], schedule.looked_until))

    def _run(self, schedule: Schedule, at: datetime, now: datetime) -> Schedule:
        """Make the job of a slot, or write down why there is none; the schedule as it is then."""
        stores = self._stores
        looked_until = max(at, schedule.looked_until)
        try:
            job_id = self._submit(schedule, at, now)
        except Refused as exc:
            stores.schedules.did_not_run(schedule, [Slot(at, SlotState.FAILED, message=str(exc))], looked_until)
            self._tell(schedule, f"The slot of {_local(schedule, at)} was refused: {exc}")
            return replace(schedule, looked_until=looked_until)
        failpoints.reach("slot_committed")
        self._ring(job_id)
        _log.info("A slot runs.", extra={"action": "slot_ran", "schedule": schedule.id, "job": job_id})
        return replace(schedule, turn=schedule.turn + 1, looked_until=looked_until)

    def _submit(self, schedule: Schedule, at: datetime, now: datetime) -> str:
        """Store the job of a slot, and that the slot has run.

        Raises:
            Refused: there can be none.
            Overtaken: somebody else has dealt with it.
        """
        stores = self._stores
        try:
            key = stores.keys.get(schedule.key_id)
            if not key.is_open(now) or "submit" not in key.scopes:
                raise Refused(f'The key {key.id} is revoked, expired or without the scope "submit".')
            new = job_of(schedule, at, now, stores.checks)
            also = stores.schedules.ran(schedule, at)
            return stores.jobs.submit(new, limits=key.limits, also=also).job.id
        except (UnknownKey, TooManyRequests) as exc:
            raise Refused(str(exc)) from exc
        except SpecError as exc:
            raise Refused("; ".join(f"{one.field}: {one.message}" for one in exc.problems[:3])) from exc
        except (StoreError, Overtaken, Refused):
            raise
        except Exception as exc:
            told = {"action": "slot_failed", "schedule": schedule.id}
            _log.error("A slot could not be run.", exc_info=exc, extra=told)
            raise Refused("Something went wrong here that is not the request's fault; the log says what.") from exc

    def _tell(self, schedule: Schedule, sentence: str) -> None:
        self._report(f'Schedule "{schedule.name}" ({schedule.id})', sentence)


def _put_back_sentence(schedule: Schedule) -> str:
    until = _local(schedule, schedule.looked_until)
    return f"The clock was put back: nothing runs before {until} again. Pause and resume it to count from now."


def _missed_sentence(schedule: Schedule, missed: Sequence[datetime]) -> str:
    first, last = _local(schedule, missed[0]), _local(schedule, missed[-1])
    if len(missed) == 1:
        return f"The slot of {first} was missed and is too old to run: {_MISSED}"
    return f"{len(missed)} slots were missed and do not run, from {first} to {last}: {_MISSED}"


def _local(schedule: Schedule, at: datetime) -> str:
    zone = rule_of(schedule.every, schedule.at, schedule.timezone).zone
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({schedule.timezone})"
