"""When a schedule is due: a rule on the clock of a zone, and the moments that it means. Pure; knows no schedule.

Every local time counts once. One that the clock leaps over comes later by the width of the leap (02:30 is 03:30), one
that the clock shows twice comes the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from render.errors import FieldProblem, SpecError
from render.problems import did_you_mean, json_type

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_TIMES = 24
HOURS = (1, 2, 3, 4, 6, 8, 12)  # those that a day is a multiple of
_WORDS = {"day": frozenset(range(7)), "weekday": frozenset(range(5))}
_EVERY_HOURS = re.compile(r"([0-9]{1,2}) hours?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NOT_PLACES = ("localtime", "Factory", "posixrules")
_DAY = timedelta(days=1)
# No rule is silent for longer: a week, and a day that a zone has left out.
_LONGEST_SILENCE = timedelta(days=10)

Words = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Times of some days of the week (0 is Monday), on the clock of a zone. Times have whole minutes."""

    days: frozenset[int]
    times: tuple[time, ...]
    zone: ZoneInfo


def rule_of(every: object, at: object, timezone: object) -> Rule:
    """Read a rule: `every` is a weekday, a list of them, `day`, `weekday` or `6 hours`; `at` is `HH:MM` or a list of
    them, for hours the first one, and None for midnight; `timezone` is an IANA name.

    Raises:
        SpecError: naming each of the three that is wrong.
    """
    problems: list[FieldProblem] = []
    days, hours = frozenset[int](), 0
    try:
        days, hours = _days(every)
    except ValueError as exc:
        problems.append(FieldProblem("every", str(exc), json_type(every)))
    times: tuple[time, ...] = ()
    try:
        times = _times(at, hours, is_known=not problems)
    except ValueError as exc:
        problems.append(FieldProblem("at", str(exc), json_type(at)))
    if not (isinstance(timezone, str) and timezone in zone_names()):
        hint = did_you_mean(timezone, zone_names()) if isinstance(timezone, str) else ""
        message = f"must be the name of a zone such as Europe/Berlin or UTC.{hint}"
        problems.append(FieldProblem("timezone", message, json_type(timezone)))
    if problems:
        raise SpecError(problems)
    return Rule(days, times, ZoneInfo(str(timezone)))


@cache
def zone_names() -> frozenset[str]:
    """The zones that can be named."""
    return frozenset(available_timezones()).difference(_NOT_PLACES)


def slots_between(rule: Rule, after: datetime, until: datetime) -> list[datetime]:
    """The moments later than `after` and not later than `until`, in UTC, in their order."""
    first, last = after.astimezone(UTC).date() - 3 * _DAY, until.astimezone(UTC).date() + 2 * _DAY
    found = {
        _moment(day, at, rule.zone)
        for day in _days_between(first, last)
        if day.weekday() in rule.days
        for at in rule.times
    }
    return sorted(moment for moment in found if after < moment <= until)


def next_slot(rule: Rule, after: datetime) -> datetime:
    """The first moment later than `after`, in UTC."""
    return slots_between(rule, after, after + _LONGEST_SILENCE)[0]


def _days_between(first: date, last: date) -> Iterator[date]:
    return (first + number * _DAY for number in range((last - first).days + 1))


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When a clock shows this. With fold 0 the offset is that from before the change, which is the first of two and,
    for a time that is leapt over, as much later as the leap is wide (PEP 495)."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def _days(every: object) -> tuple[frozenset[int], int]:
    """The days, and the distance in hours where that is what is said."""
    if isinstance(every, list | tuple):
        if not 1 <= len(every) <= len(WEEKDAYS):
            raise ValueError("must be one to seven weekdays")
        days = [_weekday(word, f"item {number}") for number, word in enumerate(every, 1)]
        if len(set(days)) < len(days):
            raise ValueError("must not have a weekday twice")
        return frozenset(days), 0
    if isinstance(every, str):
        if (word := every.strip().lower()) in _WORDS:
            return _WORDS[word], 0
        if match := _EVERY_HOURS.fullmatch(word):
            if int(match[1]) not in HOURS:
                raise ValueError(f'must be {", ".join(map(str, HOURS[:-1]))} or {HOURS[-1]} hours, such as "6 hours"')
            return _WORDS["day"], int(match[1])
    return frozenset({_weekday(every, "it")}), 0


def _weekday(word: object, what: str) -> int:
    if isinstance(word, str) and word.strip().lower() in WEEKDAYS:
        return WEEKDAYS.index(word.strip().lower())
    known = (*WEEKDAYS, *_WORDS) if what == "it" else WEEKDAYS
    hint = did_you_mean(word, known) if isinstance(word, str) else ""
    if what == "it":
        raise ValueError(f'must be a weekday such as "monday", a list of them, "day", "weekday" or "6 hours".{hint}')
    raise ValueError(f'must be weekdays such as "monday"; {what} is none.{hint}')


def _times(at: object, hours: int, *, is_known: bool) -> tuple[time, ...]:
    """The times of a day. `is_known` says whether it is known that they are not every few hours."""
    if at is None and (hours or not is_known):
        at = "00:00"
    texts = list(at) if isinstance(at, list | tuple) else [at]
    if not 1 <= len(texts) <= MOST_TIMES:
        raise ValueError(f"must be 1 to {MOST_TIMES} times")
    times = [_time(text) for text in texts]
    if len(set(times)) < len(times):
        raise ValueError("must not have a time twice")
    if not hours:
        return tuple(sorted(times))
    if len(times) > 1:
        raise ValueError("must be one time with every few hours: the first")
    first = times[0]
    return tuple(sorted(first.replace(hour=(first.hour + more) % 24) for more in range(0, 24, hours)))


def _time(text: object) -> time:
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('must be a time such as "09:00", from "00:00" to "23:59", or a list of them')
    return time(int(match[1]), int(match[2]))
