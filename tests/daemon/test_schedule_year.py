"""A year by the clock: both changes of daylight saving, forty restarts, a week without anybody. Every slot once."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from daemon.store.schedules import Schedule, SlotState
from tests.daemon.clockwork import SHORT, Clockwork, clockwork
from tests.daemon.conftest import MovableClock

START, END = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)
RESTARTS = 40
QUOTES = ["a", "b", "c"]
WANTED: dict[str, dict[str, Any]] = {
    "sundays": {"every": "sunday", "at": "02:30", "timezone": "Europe/Berlin"},
    "mondays": {"every": "monday", "at": "09:00", "timezone": "Europe/Berlin"},
    "hours": {"every": "6 hours", "at": "00:00", "timezone": "Europe/Berlin"},
    "ahead": {"every": ["tuesday", "friday"], "at": "18:00", "timezone": "Australia/Lord_Howe", "lead_min": 600},
}


def wall_times(name: str) -> list[datetime]:
    """Every local time of the year that a rule means, counted on the wall by hand, and when that is."""
    days = [START.date() + timedelta(days=number) for number in range(367)]
    found = {
        "sundays": [(day, 2, 30) for day in days if day.weekday() == 6],
        "mondays": [(day, 9, 0) for day in days if day.weekday() == 0],
        "hours": [(day, hour, 0) for day in days for hour in (0, 6, 12, 18)],
        "ahead": [(day, 18, 0) for day in days if day.weekday() in (1, 4)],
    }[name]
    zone = ZoneInfo(str(WANTED[name]["timezone"]))
    moments = [datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone) for day, hour, minute in found]
    return sorted({moment.astimezone(UTC) for moment in moments})


def test_a_year(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice, clock = random.Random(seed), MovableClock()
    clock.time = START
    away = START + timedelta(days=dice.uniform(20, 330))
    restarts = sorted([away, *(START + timedelta(days=dice.uniform(1, 364)) for _ in range(RESTARTS - 1))])
    spec = {**SHORT, "text_overlays": [{"text": "{{quote}}"}], "variables": {"quote": QUOTES}}
    with clockwork(tmp_path, clock) as works:
        key_id = works.key()
        schedules = {name: works.add(key_id, name=name, spec=spec, **rule) for name, rule in WANTED.items()}
    reports: list[tuple[str, str]] = []
    gone = back = START
    for until in [*restarts, END]:
        with clockwork(tmp_path, clock) as works:
            works.timetable.run_due()
            while clock.time < until:
                clock.move(dice.uniform(30, 2 * 3600))
                works.timetable.run_due()
            reports += works.reports
        if until == away:
            gone, back = clock.time, clock.time + timedelta(days=7)
            clock.time = back
        else:
            clock.move(dice.uniform(0, 2.5 * 3600))
    with clockwork(tmp_path, clock) as works:
        works.timetable.run_due()
        seen = Counter[str]()
        for name, schedule in schedules.items():
            missed = check(works, schedule, name, clock.time, (gone, back))
            assert [told for told in reports if schedule.id in told[0]] == ([missed] if missed else [])
            seen.update(slot.state for slot in works.slots(schedule))
        print(dict(seen), f"missed from {gone} to {back}")
        assert seen[SlotState.RAN] == len(works.specs()) > 1_500
        assert seen[SlotState.MISSED] >= 26, "a week of every six hours, but for what was just due"
        assert set(seen) == {SlotState.RAN, SlotState.MISSED}


def check(
    works: Clockwork, schedule: Schedule, name: str, end: datetime, away: tuple[datetime, datetime]
) -> tuple[str, str] | None:
    """See that every slot of a schedule came once; the report that there has to be."""
    lead = timedelta(minutes=schedule.lead_min)
    wanted = [at for at in wall_times(name) if START < at <= end + lead]
    slots = works.slots(schedule)
    assert [slot.at for slot in slots] == wanted, "every local time of the year, once"
    gone, back = away
    late = [at for at in wanted if at - lead > gone and at <= back]
    missed = [at for at in late if at != late[-1] or back - at > timedelta(hours=6)]
    assert [slot.at for slot in slots if slot.state is SlotState.MISSED] == missed
    ran = [slot for slot in slots if slot.state is SlotState.RAN]
    assert works.again(schedule).turn == len(ran)
    for number, slot in enumerate(ran):
        job = works.stores.jobs.get(slot.job_id or "")
        assert job.spec["variables"] == {"quote": QUOTES[number % 3]}
        assert slot.at - lead <= job.created_at <= slot.at + timedelta(hours=6)
    if not missed:
        return None
    first, last = (f"{at.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M}" for at in (missed[0], missed[-1]))
    zone, why = f"({schedule.timezone})", "Vix was not running, or late."
    sentence = f"{len(missed)} slots were missed and do not run, from {first} {zone} to {last} {zone}: {why}"
    if len(missed) == 1:
        sentence = f"The slot of {first} {zone} was missed and is too old to run: {why}"
    return f'Schedule "{name}" ({schedule.id})', sentence
