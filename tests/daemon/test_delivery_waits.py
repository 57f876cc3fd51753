"""How long is waited after setbacks, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.deliveries.waits import before_sending_s, follow_again_s, probe_again_s
from daemon.store.deliveries import LONGEST_WAIT

_DAY_S = 86_400


def before_s(tries: int, chance: float) -> float | None:
    return before_sending_s(tries, 0, chance)


ALL = [before_s, probe_again_s, follow_again_s]


def waits(find: Callable[[int, float], float | None], chance: float = 0.5) -> list[float]:
    found: list[float] = []
    while (wait_s := find(len(found) + 1, chance)) is not None:
        found.append(wait_s)
        assert len(found) < 1000
    return found


@pytest.mark.parametrize(("find", "days"), [(before_s, 3), (probe_again_s, 1), (follow_again_s, 0.25)])
def test_it_is_given_up_after_a_while(find: Callable[[int, float], float | None], days: float) -> None:
    assert sum(waits(find)) == pytest.approx(days * _DAY_S, rel=0.1)


@pytest.mark.parametrize("find", ALL)
def test_waits_grow_and_are_spread(find: Callable[[int, float], float | None]) -> None:
    middle = waits(find)
    assert middle == sorted(middle)
    for short, wait_s, long in zip(waits(find, 0.0), middle, waits(find, 1.0), strict=True):
        assert 0 < short < wait_s < long
        assert short == pytest.approx(0.9 * wait_s)
        assert long == pytest.approx(1.1 * wait_s)


@pytest.mark.parametrize("find", ALL)
def test_no_wait_is_taken_for_that_of_a_clock_that_was_ahead(find: Callable[[int, float], float | None]) -> None:
    assert max(waits(find, 1.0)) < LONGEST_WAIT.total_seconds()


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_not_worth_many_tries_has_few(most: int) -> None:
    found = [before_sending_s(tries, most, 0.5) for tries in range(1, most + 3)]
    assert [wait_s is not None for wait_s in found] == [True] * (most - 1) + [False] * 3
