"""How many jobs a key may submit: a bucket for the minute, a count for the day, a cap on those that wait.

The minute is the generic cell rate algorithm (GCRA, ITU-T I.371 annex A) in its form with a theoretical arrival time:
a bucket that holds as many requests as a minute allows and fills evenly. `take` is pure; `charge` is its part of the
transaction that stores the job.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.errors import TooManyRequests
from daemon.jobs import Limits, Status
from daemon.store.tables import JobRow, KeyRow

_MINUTE = timedelta(minutes=1)
_DAY_S = 86_400
# Nobody knows when a film will be finished; a flow that waits for its own should not ask all the time.
_WAITING_AGAIN_S = 30


@dataclass(frozen=True, slots=True)
class Level:
    """What a key has used up. `tat_at` is when the bucket of the minute is full again, None where it always was; `day`
    counts days since 1970 in UTC, `day_count` the jobs of that day."""

    tat_at: datetime | None = None
    day: int = 0
    day_count: int = 0


def take(level: Level, limits: Limits, now: datetime) -> tuple[Level, TooManyRequests | None]:
    """Take one job out of what is left: what is left then, and the refusal if that was nothing.

    A clock that goes back gives nothing: what was used up stays so, for a minute and until the end of the next day at
    the most. So the level may change by a refusal, too.
    """
    level = _in_reach(level, now)
    if limits.per_day and level.day_count >= limits.per_day:
        return level, _refusal("day", f"This key may submit {limits.per_day} jobs a day.", _day_s(level.day + 1, now))
    tat_at = max(level.tat_at or now, now)
    if limits.per_minute:
        tat_at += _MINUTE // limits.per_minute  # rounded down: the last of a minute must not fail by a microsecond
        if (early := tat_at - now - _MINUTE) > timedelta():
            sentence = f"This key may submit {limits.per_minute} jobs a minute."
            return level, _refusal("minute", sentence, early.total_seconds())
    return Level(tat_at, level.day, level.day_count + 1), None


def charge(connection: Any, key_id: str, limits: Limits, now: datetime) -> TooManyRequests | None:
    """Count one more job of a key, or say why there may be none. A key without a row has no rate to count."""
    if limits.waiting and _are_waiting(connection, key_id, limits.waiting):
        return _refusal("waiting", f"This key may have {limits.waiting} jobs waiting.", _WAITING_AGAIN_S)
    query = KeyRow.select(KeyRow.tat_at, KeyRow.day, KeyRow.day_count).where(KeyRow.id == key_id)
    for row in list(query.execute(connection)):
        before = Level(row.tat_at, row.day, row.day_count)
        level, refusal = take(before, limits, now)
        if level != before:
            values = {"tat_at": level.tat_at, "day": level.day, "day_count": level.day_count}
            KeyRow.update(values).where(KeyRow.id == key_id).execute(connection)
        return refusal
    return None


def _in_reach(level: Level, now: datetime) -> Level:
    """The level as it is now: yesterday's count is no more, and nothing was used up by a time that is far ahead."""
    today = int(now.timestamp()) // _DAY_S
    tat_at = min(level.tat_at, now + _MINUTE) if level.tat_at else None
    if level.day < today:
        return Level(tat_at, today, 0)
    return Level(tat_at, min(level.day, today + 1), level.day_count)


def _are_waiting(connection: Any, key_id: str, count: int) -> bool:
    """Whether at least so many jobs of a key wait; counts no further."""
    query = JobRow.select(JobRow.seq).where(JobRow.key_id == key_id, JobRow.status == Status.IN_QUEUE)
    return bool(list(query.order_by(JobRow.seq).limit(1).offset(count - 1).execute(connection)))


def _day_s(day: int, now: datetime) -> float:
    """Seconds until a day begins."""
    return (datetime.fromtimestamp(day * _DAY_S, UTC) - now).total_seconds()


def _refusal(limit: str, sentence: str, after_s: float) -> TooManyRequests:
    return TooManyRequests(limit, sentence, math.ceil(after_s))
