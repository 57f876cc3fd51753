"""Slots that are due, late, missed, refused, made ahead, paused; by clocks that go on and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.errors import TooManySchedules, UnknownSchedule
from daemon.jobs import NewJob
from daemon.store.keys import OwnLimits
from daemon.store.schedules import MOST_OF_A_KEY, NewSchedule, Overtaken, SlotState
from tests.daemon.clockwork import SHORT, Clockwork, clockwork
from tests.daemon.conftest import MovableClock

HOUR, DAY = 3600.0, 86_400.0


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.fixture
def works(tmp_path: Path, movable_clock: MovableClock) -> Iterator[Clockwork]:
    movable_clock.time = utc("2026-03-04T08:00")  # a Wednesday
    with clockwork(tmp_path, movable_clock) as works:
        yield works


@pytest.fixture
def key_id(works: Clockwork) -> str:
    return works.key()


def at(clock: MovableClock, text: str, works: Clockwork) -> None:
    clock.time = utc(text)
    works.timetable.run_due()


def test_a_slot_runs_once_when_it_is_due(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id)
    at(movable_clock, "2026-03-04T08:59:59", works)
    assert works.rung == []
    for second in (0, 15, 30):
        at(movable_clock, f"2026-03-04T09:00:{second:02}", works)
    (slot,) = works.slots(schedule)
    assert (slot.at, slot.state, [slot.job_id]) == (utc("2026-03-04T09:00"), SlotState.RAN, works.rung)
    job = works.stores.jobs.get(works.rung[0])
    assert (job.kind, job.spec, job.key_id, job.base_url) == ("template", SHORT, key_id, "http://vix.test")
    assert works.again(schedule).turn == 1
    assert works.reports == []


def test_lists_step_with_the_slots_that_ran_and_dates_are_those_of_the_zone(
    works: Clockwork, movable_clock: MovableClock, key_id: str
) -> None:
    spec = {
        **SHORT,
        "text_overlays": [{"text": "{{quote}} {{when}}"}],
        "variables": {"quote": ["a", "b"], "when": {"date": "%d.%m. %H:%M"}},
    }
    works.add(key_id, spec=spec, at="23:30", timezone="America/New_York")
    for day in ("05", "06", "07"):
        at(movable_clock, f"2026-03-{day}T04:30", works)
    said = [spec["variables"] for spec in works.specs()]
    assert [one["quote"] for one in said] == ["a", "b", "a"]
    assert [one["when"] for one in said] == ["04.03. 23:30", "05.03. 23:30", "06.03. 23:30"]


def test_of_missed_slots_the_latest_runs_if_it_is_young(
    works: Clockwork, movable_clock: MovableClock, key_id: str
) -> None:
    schedule = works.add(key_id, every="2 hours", at=None)
    at(movable_clock, "2026-03-04T15:30", works)
    assert works.came(schedule) == ["04 10:00 missed", "04 12:00 missed", "04 14:00 ran"]
    ((subject, sentence),) = works.reports
    assert subject == f'Schedule "Film" ({schedule.id})'
    assert sentence.startswith("2 slots were missed and do not run, from 2026-03-04 10:00 (UTC) to 2026-03-04 12:00")
    at(movable_clock, "2026-03-04T16:00", works)
    assert works.came(schedule)[-1] == "04 16:00 ran"
    assert len(works.reports) == 1


def test_what_is_too_old_does_not_run(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id)
    at(movable_clock, "2026-03-04T15:00:01", works)
    assert works.came(schedule) == ["04 09:00 missed"]
    ((_, sentence),) = works.reports
    assert "2026-03-04 09:00 (UTC) was missed and is too old" in sentence
    assert works.again(schedule).turn == 0


def test_slots_that_are_close_together_all_run(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, at=["09:00", "09:01"])
    at(movable_clock, "2026-03-04T09:01:30", works)
    assert works.came(schedule) == ["04 09:00 ran", "04 09:01 ran"]
    assert works.again(schedule).turn == 2


def test_films_are_made_ahead_and_published_in_time(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, lead_min=90, timezone="Europe/Berlin", at="11:00")
    at(movable_clock, "2026-03-04T08:29:59", works)
    assert works.rung == []
    at(movable_clock, "2026-03-04T08:30", works)
    at(movable_clock, "2026-03-04T10:00:10", works)
    assert works.came(schedule) == ["04 10:00 ran"]


def test_a_day_of_lead_makes_all_films_of_a_day(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, every="6 hours", at=None, lead_min=1440)
    works.timetable.run_due()
    assert works.came(schedule) == ["04 12:00 ran", "04 18:00 ran", "05 00:00 ran", "05 06:00 ran"]
    at(movable_clock, "2026-03-04T12:00", works)
    assert works.came(schedule)[4:] == ["05 12:00 ran"]


def test_what_is_refused_is_reported_and_the_next_slot_runs(
    works: Clockwork, movable_clock: MovableClock, key_id: str
) -> None:
    schedule, style = works.add(key_id), works.stores.checks.library.root / "styles" / "waves"
    shutil.move(style, style.with_name("gone"))
    at(movable_clock, "2026-03-04T09:00", works)
    assert works.came(schedule) == ["04 09:00 failed"]
    ((_, sentence),) = works.reports
    assert "2026-03-04 09:00 (UTC) was refused: spec.video.style" in sentence
    assert works.slots(schedule)[0].message in sentence
    shutil.move(style.with_name("gone"), style)
    at(movable_clock, "2026-03-05T09:00", works)
    assert works.came(schedule) == ["04 09:00 failed", "05 09:00 ran"]
    assert works.again(schedule).turn == 1, "a slot that failed is no turn"


def test_limits_and_ends_of_keys_hold(works: Clockwork, movable_clock: MovableClock) -> None:
    small, reader = works.key(limits=OwnLimits(per_day=1)), works.key(scopes=["read"])
    ends = works.key(expires_at=utc("2026-03-04T08:30"))
    first, second = works.add(small), works.add(small)
    others = [works.add(other) for other in (reader, ends, "nobody")]
    at(movable_clock, "2026-03-04T09:00", works)
    assert (works.came(first), works.came(second)) == (["04 09:00 ran"], ["04 09:00 failed"])
    assert "may submit 1 jobs a day" in works.slots(second)[0].message
    assert [works.came(other) for other in others] == [["04 09:00 failed"]] * 3
    assert len(works.reports) == 4


def test_one_that_breaks_harms_no_other(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    """A row that no program of ours has written."""
    odd = NewSchedule("Odd", "template", "never", None, "Mars", {})
    works.stores.schedules.create(odd, key_id)
    good = works.add(key_id)
    at(movable_clock, "2026-03-04T09:00", works)
    assert works.came(good) == ["04 09:00 ran"]


def test_what_is_paused_passes_silently(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, every="1 hours", at=None)
    works.stores.schedules.set_enabled(schedule.id, False)
    at(movable_clock, "2026-03-04T11:30", works)
    works.stores.schedules.set_enabled(schedule.id, True)
    works.timetable.run_due()
    assert works.came(schedule) == []
    at(movable_clock, "2026-03-04T12:00", works)
    assert works.came(schedule) == ["04 12:00 ran"]
    assert works.reports == []


def test_a_clock_that_is_put_back_repeats_nothing(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, every="1 hours", at=None)
    for hour in (9, 10, 11):
        at(movable_clock, f"2026-03-04T{hour:02}:00", works)
    for hour in (8, 9, 10, 11):
        at(movable_clock, f"2026-03-04T{hour:02}:00", works)
        works.stores.schedules.set_enabled(schedule.id, False)
        works.stores.schedules.set_enabled(schedule.id, True)  # which looks from now on
    at(movable_clock, "2026-03-04T12:00", works)
    assert works.came(schedule) == [f"04 {hour:02}:00 ran" for hour in (9, 10, 11, 12)]
    assert len(works.rung) == 4


def test_a_clock_that_was_far_ahead_is_told_of_and_can_be_made_up_for(
    works: Clockwork, movable_clock: MovableClock, key_id: str
) -> None:
    schedule = works.add(key_id)
    at(movable_clock, "2030-01-01T09:00", works)
    works.reports.clear()
    for _ in range(2):
        at(movable_clock, "2026-03-04T09:00", works)
    ((_, sentence),) = works.reports
    assert "The clock was put back: nothing runs before 2030-01-01 09:00 (UTC)" in sentence
    for enabled in (False, True):
        works.stores.schedules.set_enabled(schedule.id, enabled)
    at(movable_clock, "2026-03-05T09:00", works)
    by_time = {f"{slot.at:%Y-%m-%d}": slot.state for slot in works.slots(schedule)}
    assert by_time["2026-03-05"] == "ran", "although it counted as missed when the clock was wrong"
    assert len(works.rung) == 2


def test_another_name_loses_no_slot_and_another_time_counts_from_now(
    works: Clockwork, movable_clock: MovableClock, key_id: str
) -> None:
    kept, moved = works.add(key_id), works.add(key_id)
    movable_clock.time = utc("2026-03-04T09:30")
    works.stores.schedules.replace(kept.id, replace(kept, name="Other"))
    works.stores.schedules.replace(moved.id, replace(moved, at="08:59"))
    works.timetable.run_due()
    assert works.came(kept) == ["04 09:00 ran"]
    assert works.came(moved) == []


def test_who_comes_second_does_nothing(works: Clockwork, key_id: str) -> None:
    """Two workers have read the same schedule."""
    schedule, slot = works.add(key_id), utc("2026-03-04T09:00")
    new = NewJob("template", {}, 1, key_id, film_s=1)
    store = works.stores.schedules
    works.stores.jobs.submit(new, also=store.ran(schedule, slot))
    for seen in (schedule, works.again(schedule)):
        with pytest.raises(Overtaken):
            works.stores.jobs.submit(new, also=store.ran(seen, slot))
    with pytest.raises(Overtaken):
        store.did_not_run(schedule, [], slot)
    assert len(works.stores.jobs.upcoming(9)) == 1
    assert works.again(schedule).turn == 1


def test_what_is_removed_is_gone_with_its_slots(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id)
    at(movable_clock, "2026-03-04T09:00", works)
    store = works.stores.schedules
    with pytest.raises(UnknownSchedule):
        store.remove(schedule.id, "somebody")
    store.remove(schedule.id, key_id)
    assert works.came(schedule) == []
    assert works.stores.jobs.get(works.rung[0]).key_id == key_id, "its job stays"
    for call in (store.get, store.remove):
        with pytest.raises(UnknownSchedule):
            call(schedule.id)


def test_a_key_has_so_many_schedules(works: Clockwork, key_id: str) -> None:
    new = works.add(key_id)
    for _ in range(MOST_OF_A_KEY - 1):
        works.stores.schedules.create(new, key_id)
    with pytest.raises(TooManySchedules):
        works.stores.schedules.create(new, key_id)
    assert len(works.stores.schedules.list(key_id)) == MOST_OF_A_KEY
    assert works.stores.schedules.create(new, works.key()).name == "Film"


def test_old_slots_are_forgotten(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id)
    for day in ("04", "05", "06"):
        at(movable_clock, f"2026-03-{day}T09:00", works)
    assert works.stores.schedules.forget(utc("2026-03-06T00:00")) == 2
    assert works.came(schedule) == ["06 09:00 ran"]
    last = works.stores.schedules.last(schedule.id)
    assert last
    assert last.job_id == works.rung[-1]


def test_a_clock_far_ahead_does_not_fill_the_disk(works: Clockwork, movable_clock: MovableClock, key_id: str) -> None:
    schedule = works.add(key_id, every="1 hours", at=None)
    movable_clock.time += timedelta(days=100)
    works.timetable.run_due()
    assert len(works.slots(schedule)) == 1_001
    assert works.reports[0][1].startswith("2399 slots were missed")
