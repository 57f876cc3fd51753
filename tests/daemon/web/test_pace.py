"""What may be asked for so often a minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from daemon.errors import TooManyRequests
from daemon.web.pace import MOST_NAMES, Pace

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_each_name_has_its_own_count_which_comes_back() -> None:
    pace = Pace("x", 2, "Twice a minute.")
    for name in ("a", "b"):
        for _ in range(2):
            pace.take(name, NOON)
        with pytest.raises(TooManyRequests, match="Twice a minute") as caught:
            pace.take(name, NOON)
        assert (caught.value.limit, caught.value.retry_after_s) == ("x", 30)
    pace.take("a", NOON + timedelta(seconds=30))
    with pytest.raises(TooManyRequests):
        pace.take("a", NOON + timedelta(seconds=30))


def test_a_clock_that_was_ahead_closes_nothing_for_longer_than_a_minute() -> None:
    pace = Pace("x", 1, "Once a minute.")
    pace.take("a", NOON + timedelta(days=400))
    with pytest.raises(TooManyRequests) as caught:
        pace.take("a", NOON)
    assert caught.value.retry_after_s <= 60


def test_those_used_longest_ago_are_forgotten() -> None:
    pace = Pace("x", 1, "Once a minute.")
    for number in range(MOST_NAMES + 1):
        pace.take(str(number), NOON)
    with pytest.raises(TooManyRequests):
        pace.take("1", NOON)
    pace.take("0", NOON)
