"""Whose jobs are put back: what the own seat has left behind at once, and what others have once they were silent while
this one could write."""

from __future__ import annotations

import pytest

from daemon.jobs import Status
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.workers import WorkerStore
from daemon.worker.orphans import Orphans
from tests.daemon.conftest import new_job

LEASE_S = 6.0
MINE, OTHER = "seat.1-mine", "elsewhere.1-other"


class Observer:
    """One worker that looks once a second, and whose beats the test makes."""

    def __init__(self, database: Database) -> None:
        self.jobs, self.workers = JobStore(database), WorkerStore(database)
        self.now_s = 1000.0
        self.orphans = Orphans(
            self.jobs, self.workers, MINE, lease_s=LEASE_S, max_attempts=3, monotonic=lambda: self.now_s
        )

    def look(self, times: int, *, beating: tuple[str, ...]) -> None:
        for _ in range(times):
            self.now_s += 1
            for owner in beating:
                self.workers.beat(owner, None)
            self.orphans.look()


@pytest.fixture
def observer(vix_database: Database) -> Observer:
    found = Observer(vix_database)
    found.workers.join(MINE, {})
    found.workers.join(OTHER, {})
    return found


def test_while_nobody_can_write_nobody_is_dead(observer: Observer) -> None:
    job = observer.jobs.submit(new_job()).job
    observer.jobs.claim(OTHER)
    observer.look(3, beating=(MINE, OTHER))
    observer.look(100, beating=())
    assert observer.jobs.get(job.id).status is Status.RENDERING
    observer.look(1, beating=(MINE,))
    observer.look(3, beating=(MINE, OTHER))
    assert observer.jobs.get(job.id).status is Status.RENDERING, "the other one may be a moment later"
    observer.look(7, beating=(MINE,))
    assert observer.jobs.get(job.id).status is Status.IN_QUEUE


def test_one_beat_of_its_own_that_is_late_is_no_outage(observer: Observer) -> None:
    job = observer.jobs.submit(new_job()).job
    observer.jobs.claim(OTHER)
    for _ in range(5):
        observer.look(1, beating=(MINE,))
        observer.look(1, beating=())
    assert observer.jobs.get(job.id).status is Status.IN_QUEUE


def test_rows_of_the_own_seat_go_with_the_jobs(observer: Observer) -> None:
    observer.workers.join("seat.1-dead", {})
    observer.workers.join("seat2.1-foreign", {})
    job = observer.jobs.submit(new_job()).job
    observer.jobs.claim("seat.1-dead")
    observer.orphans.of_seat("seat")
    assert {seen.id for seen in observer.workers.all()} == {OTHER, "seat2.1-foreign"}
    assert observer.jobs.get(job.id).status is Status.IN_QUEUE
