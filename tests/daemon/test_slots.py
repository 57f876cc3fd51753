"""Rules on the clocks of the world: every local time once, whatever the clock does."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.slots import HOURS, WEEKDAYS, Rule, next_slot, rule_of, slots_between, zone_names
from render.errors import SpecError
from tests.source_tree import ROOT

ZONES = (
    *("Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kolkata", "Asia/Tehran"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "America/St_Johns", "Asia/Tokyo", "UTC", "Asia/Gaza"),
)
MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
RULES = st.builds(
    rule_of,
    st.one_of(
        st.sampled_from([*WEEKDAYS, "day", "weekday", *(f"{hours} hours" for hours in HOURS)]),
        st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True),
    ),
    st.times().map(lambda at: f"{at:%H:%M}"),
    st.sampled_from(ZONES),
)


def local(rule: Rule, slots: list[datetime]) -> list[str]:
    return [f"{slot.astimezone(rule.zone):%a %d %H:%M %z}" for slot in slots]


def around(rule: Rule, day: str, days: int = 1) -> list[str]:
    """The slots of some days on the rule's own clock."""
    start = datetime.fromisoformat(day).replace(tzinfo=rule.zone).astimezone(UTC)
    return local(rule, slots_between(rule, start - timedelta(microseconds=1), start + timedelta(days=days)))


def clock(rule: Rule, slot: datetime) -> datetime:
    """What the clock on the wall shows, without a zone."""
    return slot.astimezone(rule.zone).replace(tzinfo=None)


@given(RULES, MOMENTS, st.floats(0, 400))
def test_every_local_time_comes_exactly_once(rule: Rule, after: datetime, days: float) -> None:
    until = after + timedelta(days=days)
    slots = slots_between(rule, after, until)
    assert slots == sorted(set(slots))
    assert all(after < slot <= until and slot.tzinfo is UTC for slot in slots)
    # Counted by walking through the minutes of the wall clock: those that match, each once.
    shown = [clock(rule, slot) for slot in slots]
    assert len(set(shown)) == len(shown), "no local time comes twice"
    wanted: set[datetime] = set()
    start, end = clock(rule, after), clock(rule, until)
    day = start.date()
    while day <= end.date():
        if day.weekday() in rule.days:
            wanted |= {datetime.combine(day, at) for at in rule.times}
        day += timedelta(days=1)
    there = {wall for wall in wanted if start < wall <= end and exists(wall, rule.zone)}
    # What a clock shows twice may have come before `after`, or be still to come.
    certain = {wall for wall in there if after < instants(wall, rule.zone)[0] <= until}
    assert certain <= set(shown), "none that exists is left out"
    for slot, wall in zip(slots, shown, strict=True):
        if wall not in wanted:
            assert leapt_over(rule, slot), "only what a clock leaps over comes at another time"


def instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """When a clock on the wall shows this: never, once or twice."""
    found = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in found if moment.astimezone(zone).replace(tzinfo=None) == wall)


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    return bool(instants(wall, zone))


def leapt_over(rule: Rule, slot: datetime) -> bool:
    """Whether the clock was put forward within the day before, by as much as one of the rule's times is early."""
    zone, wall = rule.zone, clock(rule, slot)
    leaps = {
        late - early
        for hours in range(25)
        if (late := (slot - timedelta(hours=hours)).astimezone(zone).utcoffset() or timedelta())
        > (early := (slot - timedelta(hours=hours + 1)).astimezone(zone).utcoffset() or timedelta())
    }
    return any(
        (meant := wall - leap).weekday() in rule.days and meant.time() in rule.times and not exists(meant, zone)
        for leap in leaps
    )


@given(RULES, MOMENTS)
def test_the_next_is_the_first_of_those_that_follow(rule: Rule, after: datetime) -> None:
    found = next_slot(rule, after)
    assert slots_between(rule, after, found) == [found]
    assert next_slot(rule, found) > found


@given(RULES, MOMENTS, st.lists(st.floats(0, 40), max_size=6))
def test_pieces_of_time_have_the_slots_of_the_whole(rule: Rule, after: datetime, pieces_days: list[float]) -> None:
    found, start = [], after
    for days in pieces_days:
        found += slots_between(rule, start, start := start + timedelta(days=days))
    assert found == slots_between(rule, after, start)


@pytest.mark.parametrize(
    ("every", "at", "zone", "day", "slots"),
    [
        ("day", "02:30", "Europe/Berlin", "2026-03-29", ["Sun 29 03:30 +0200"]),
        ("day", ["02:30", "03:30"], "Europe/Berlin", "2026-03-29", ["Sun 29 03:30 +0200"]),
        ("day", "02:30", "Europe/Berlin", "2026-10-25", ["Sun 25 02:30 +0200"]),
        ("day", "02:10", "Australia/Lord_Howe", "2026-10-04", ["Sun 04 02:40 +1100"]),
        ("day", "01:40", "Australia/Lord_Howe", "2026-04-05", ["Sun 05 01:40 +1100"]),
        ("saturday", "23:30", "America/New_York", "2026-03-07", ["Sat 07 23:30 -0500"]),
        # The day that Samoa left out: its slots come on the next, where they are the same as that one's own.
        ("day", "09:00", "Pacific/Apia", "2011-12-29", ["Thu 29 09:00 -1000"]),
        (["friday"], "09:00", "Pacific/Apia", "2011-12-31", ["Sat 31 09:00 +1400"]),
        ("12 hours", None, "Europe/Berlin", "2026-03-29", ["Sun 29 00:00 +0100", "Sun 29 12:00 +0200"]),
        ("12 hours", "17:15", "Asia/Kolkata", "2026-01-01", ["Thu 01 05:15 +0530", "Thu 01 17:15 +0530"]),
    ],
)
def test_the_days_of_a_change(every: Any, at: Any, zone: str, day: str, slots: list[str]) -> None:
    rule, start = rule_of(every, at, zone), datetime.fromisoformat(day)
    first, last = (wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for wall in (start, start + timedelta(days=1)))
    second = timedelta(seconds=1)
    assert local(rule, slots_between(rule, first - second, last - second)) == slots


def test_each_hour_that_the_clock_shows_comes_once() -> None:
    rule = rule_of("1 hours", None, "Europe/Berlin")
    spring, autumn = around(rule, "2026-03-29"), around(rule, "2026-10-25")
    assert "Sun 29 03:00 +0200" in spring
    assert len(spring) == len(set(spring)) == 25, "23 hours of the day, 00:00 and 01:00 of the next"
    assert autumn.count("Sun 25 02:00 +0200") == 1
    assert "Sun 25 02:00 +0100" not in autumn


def test_words_of_days() -> None:
    assert rule_of("Weekday", "09:00", "UTC").days == {0, 1, 2, 3, 4}
    assert rule_of("day", ["18:00", "09:00"], "UTC").times == (time(9), time(18))
    assert rule_of(["sunday", "monday"], "09:00", "UTC").days == {0, 6}
    assert [at.hour for at in rule_of("8 hours", "20:30", "UTC").times] == [4, 12, 20]


@pytest.mark.parametrize(
    ("every", "at", "zone", "field", "message"),
    [
        ("mondey", "09:00", "UTC", "every", 'Did you mean "monday"?'),
        (["monday", "tusday"], "09:00", "UTC", "every", 'item 2 is none. Did you mean "tuesday"'),
        (["monday", "Monday"], "09:00", "UTC", "every", "must not have a weekday twice"),
        ([], "09:00", "UTC", "every", "one to seven weekdays"),
        ("5 hours", "09:00", "UTC", "every", "1, 2, 3, 4, 6, 8 or 12 hours"),
        (7, "09:00", "UTC", "every", "must be a weekday"),
        (None, "09:00", "UTC", "every", "must be a weekday"),
        ("day", None, "UTC", "at", 'must be a time such as "09:00"'),
        ("day", "24:00", "UTC", "at", 'must be a time such as "09:00"'),
        ("day", "9:00", "UTC", "at", 'must be a time such as "09:00"'),
        ("day", "09:00\n", "UTC", "at", 'must be a time such as "09:00"'),
        ("day", ["09:00", "09:00"], "UTC", "at", "must not have a time twice"),
        ("day", [], "UTC", "at", "1 to 24 times"),
        ("6 hours", ["09:00", "10:00"], "UTC", "at", "must be one time"),
        ("day", "09:00", "Europe/berlin", "timezone", 'Did you mean "Europe/Berlin"'),
        ("day", "09:00", "../../etc/passwd", "timezone", "must be the name of a zone"),
        ("day", "09:00", "", "timezone", "must be the name of a zone"),
        ("day", "09:00", 7, "timezone", "must be the name of a zone"),
    ],
)
def test_what_is_no_rule(every: Any, at: Any, zone: Any, field: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        rule_of(every, at, zone)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert message in problem.message


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        rule_of("x", "y", "z")
    assert [problem.field for problem in caught.value.problems] == ["every", "at", "timezone"]


def test_zones_come_without_the_system() -> None:
    """A bare machine has no zones of its own; those of the package are there."""
    script = (
        "from daemon.slots import rule_of, zone_names; print(len(zone_names()), rule_of('day', '09:00', 'Asia/Gaza'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONTZPATH": ""}, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Asia/Gaza" in done.stdout
    assert int(done.stdout.split()[0]) > 400


def test_no_place_is_named_for_the_machine() -> None:
    assert "localtime" not in zone_names()
