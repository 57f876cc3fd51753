from __future__ import annotations

import pytest

from daemon.store.database import Database
from daemon.store.workers import WorkerSeen, WorkerStore
from tests.daemon.conftest import MovableClock, every_database

pytestmark = every_database


@pytest.fixture
def workers(vix_database: Database, movable_clock: MovableClock) -> WorkerStore:
    return WorkerStore(vix_database, movable_clock)


def test_a_life(workers: WorkerStore, movable_clock: MovableClock) -> None:
    start = movable_clock.time
    workers.join("seat.1-a", {"version": "1.2", "odd": "😀\x00"})
    assert workers.all() == [WorkerSeen("seat.1-a", {"version": "1.2", "odd": "😀\x00"}, None, 0, start, start)]
    movable_clock.move(5)
    workers.beat("seat.1-a", "job_1")
    workers.beat("seat.1-a", "job_1")
    (seen,) = workers.all()
    assert (seen.job_id, seen.beats, seen.started_at, seen.seen_at) == ("job_1", 2, start, movable_clock.time)
    workers.beat("seat.1-a", None)
    assert workers.all()[0].job_id is None
    workers.leave("seat.1-a")
    workers.leave("seat.1-a")
    assert workers.all() == []


def test_a_beat_concerns_nobody_else(workers: WorkerStore, movable_clock: MovableClock) -> None:
    workers.join("b", {})
    movable_clock.move(1)
    workers.join("a", {})
    workers.beat("a", None)
    assert [(seen.id, seen.beats) for seen in workers.all()] == [("b", 0), ("a", 1)]


def test_a_whole_seat_leaves(workers: WorkerStore) -> None:
    for name in ("seat.1-a", "seat.2-b", "seat2.1-c", "other.1-seat.1"):
        workers.join(name, {})
    workers.leave_all("seat")
    assert {seen.id for seen in workers.all()} == {"seat2.1-c", "other.1-seat.1"}


def test_joining_twice_is_starting_anew(workers: WorkerStore) -> None:
    workers.join("a", {"one": 1})
    workers.beat("a", "job_1")
    workers.join("a", {"two": 2})
    assert [(seen.about, seen.beats, seen.job_id) for seen in workers.all()] == [({"two": 2}, 0, None)]


def test_who_was_forgotten_is_back_with_the_next_beat(workers: WorkerStore, movable_clock: MovableClock) -> None:
    workers.join("asleep", {"version": "1"})
    movable_clock.move(3600)
    workers.join("awake", {})
    assert workers.forget(movable_clock.time) == 1
    assert [seen.id for seen in workers.all()] == ["awake"]
    movable_clock.move(1)
    workers.beat("asleep", "job_1")
    asleep = workers.all()[-1]
    assert (asleep.id, asleep.about, asleep.job_id) == ("asleep", {"version": "1"}, "job_1")
    assert workers.forget(movable_clock.time) == 1  # the other one by now
