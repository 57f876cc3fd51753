"""What callers are told about their limits: what the draft says, and what the store would really do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.errors import TooManyRequests
from daemon.jobs import Limits
from daemon.store.keys import Key
from daemon.store.quota import Level, take
from daemon.web.ratelimit import rate_headers

NOW = datetime(2026, 3, 4, 23, 59, 0, tzinfo=UTC)
UNUSED = Level()
TODAY = int(NOW.timestamp()) // 86_400


def key(limits: Limits, level: Level = UNUSED) -> Key:
    return Key("id", "name", NOW, limits=limits, tat_at=level.tat_at, day=level.day, day_count=level.day_count)


def test_an_unused_key_has_everything_left() -> None:
    assert rate_headers(key(Limits(120, 5000, 2000)), NOW) == {
        "RateLimit-Policy": '"minute";q=120;w=60, "day";q=5000;w=86400, "waiting";q=2000;qu="concurrent-requests"',
        "RateLimit": '"minute";r=120;t=0, "day";r=5000;t=60',
    }


def test_what_is_not_limited_is_not_told() -> None:
    assert rate_headers(key(Limits()), NOW) == {}
    assert rate_headers(key(Limits(waiting=7)), NOW) == {"RateLimit-Policy": '"waiting";q=7;qu="concurrent-requests"'}
    assert rate_headers(key(Limits(per_day=7)), NOW) == {
        "RateLimit-Policy": '"day";q=7;w=86400',
        "RateLimit": '"day";r=7;t=60',
    }


def test_what_is_told_to_be_left_can_be_taken_and_no_more() -> None:
    for per_minute in (1, 3, 7, 59, 120, 1000):
        limits, level = Limits(per_minute=per_minute, per_day=10_000), Level()
        for step in range(3):
            now = NOW - timedelta(hours=2) + step * timedelta(seconds=13.37)
            told = int(rate_headers(key(limits, level), now)["RateLimit"].partition("r=")[2].partition(";")[0])
            taken, refusal = 0, None
            while refusal is None:
                level, refusal = take(level, limits, now)
                taken += refusal is None
            assert isinstance(refusal, TooManyRequests)
            assert taken == told, (per_minute, step)


def test_the_minute_fills_evenly() -> None:
    used = key(Limits(per_minute=60), Level(tat_at=NOW + timedelta(seconds=60)))
    left = [rate_headers(used, NOW + timedelta(seconds=seconds))["RateLimit"] for seconds in (0, 0.5, 1, 30, 60, 90)]
    assert left == [
        '"minute";r=0;t=60',
        '"minute";r=0;t=60',
        '"minute";r=1;t=59',
        '"minute";r=30;t=30',
        '"minute";r=60;t=0',
        '"minute";r=60;t=0',
    ]


def test_the_day_begins_anew_at_midnight_in_utc() -> None:
    used = key(Limits(per_day=10), Level(day=TODAY, day_count=4))
    assert rate_headers(used, NOW)["RateLimit"] == '"day";r=6;t=60'
    assert rate_headers(used, NOW + timedelta(seconds=60))["RateLimit"] == '"day";r=10;t=86400'


def test_a_clock_that_was_put_back_gives_nothing_back() -> None:
    used = key(Limits(per_minute=10, per_day=10), Level(NOW, TODAY, 9))
    assert rate_headers(used, NOW - timedelta(days=400))["RateLimit"] == '"minute";r=0;t=60, "day";r=1;t=60'


def test_a_limit_that_was_lowered_below_what_is_used() -> None:
    assert rate_headers(key(Limits(per_day=3), Level(day=TODAY, day_count=9)), NOW)["RateLimit"] == '"day";r=0;t=60'
