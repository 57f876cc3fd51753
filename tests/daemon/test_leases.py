"""Who counts as dead, on a clock that the test moves: only who stood still for a whole lease while somebody looked."""

from __future__ import annotations

import random
from collections.abc import Sequence

from daemon.worker.leases import Leases

LEASE_S = 30.0


def looks(leases: Leases, owner: str, beats: Sequence[int | None], every_s: float, start_s: float = 0.0) -> list[bool]:
    """Look once for each count of beats; None is a row that is not there."""
    return [
        owner in leases.look({owner}, {} if count is None else {owner: count}, start_s + number * every_s)
        for number, count in enumerate(beats)
    ]


def test_who_beats_lives_for_ever() -> None:
    assert not any(looks(Leases(LEASE_S), "a", list(range(100)), 5.0))


def test_who_stands_still_is_dead_after_a_lease_and_no_sooner() -> None:
    assert looks(Leases(LEASE_S), "a", [7] * 8, 5.0) == [False] * 6 + [True] * 2


def test_a_missing_row_is_silence_too() -> None:
    assert looks(Leases(LEASE_S), "a", [None] * 7, 5.0) == [False] * 6 + [True]
    assert looks(Leases(LEASE_S), "a", [7, 8, None, None, None, None, None, None, None], 5.0) == [False] * 8 + [True]


def test_one_beat_begins_a_new_lease() -> None:
    assert not any(looks(Leases(LEASE_S), "a", [7] * 6 + [8] * 6, 5.0))


def test_a_counter_that_begins_again_is_a_beat() -> None:
    assert not any(looks(Leases(LEASE_S), "a", [700] * 6 + [1] * 6, 5.0))


def test_who_did_not_look_takes_nobody_for_dead() -> None:
    leases = Leases(LEASE_S)
    assert leases.look({"a"}, {"a": 7}, 0.0) == frozenset()
    assert leases.look({"a"}, {"a": 7}, 86_400.0) == frozenset()
    assert looks(leases, "a", [7] * 5, 5.0, start_s=86_405.0) == [False] * 4 + [True], "a quarter was counted before"


def test_who_left_and_came_back_begins_anew() -> None:
    leases = Leases(LEASE_S)
    looks(leases, "a", [7] * 6, 5.0)
    assert leases.look((), {"a": 7}, 30.0) == frozenset()
    assert not any(looks(leases, "a", [7] * 6, 5.0, start_s=35.0))


def test_each_owner_is_judged_alone() -> None:
    leases = Leases(LEASE_S)
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    beats = dict.fromkeys("abc", 0)
    dead: frozenset[str] = frozenset()
    for number in range(20):
        beats["a"] += rng.randint(1, 5)
        beats["c"] += number < 10
        dead = leases.look(beats, beats, 5.0 * number)
        if number == 9:
            assert dead == {"b"}
    assert dead == {"b", "c"}
