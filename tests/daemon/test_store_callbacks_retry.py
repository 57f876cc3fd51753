"""What becomes of callbacks about an end that is not true any more, since the job was tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daemon.jobs import Failure, Job
from daemon.store.callbacks import CallbackStore, NewCallback, State
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.tables import JobRow
from tests.daemon.conftest import every_database, new_job
from tests.daemon.test_store_callbacks import URL, outcome, taken

pytestmark = every_database


@pytest.fixture
def outbox(vix_database: Database, movable_clock: Any) -> CallbackStore:
    return CallbackStore(vix_database, movable_clock)


@pytest.fixture
def jobs(vix_database: Database, movable_clock: Any) -> JobStore:
    """Tells the key and the operator of each end."""

    def announce(job: Job) -> list[NewCallback]:
        at = job.finished_at
        assert at is not None
        told = [(job.key_id, URL), ("operator", "http://operator/")]
        return [NewCallback(job.id, key, f"job.{job.status}", url, {}, "{}", at, at) for key, url in told]

    return JobStore(vix_database, movable_clock, announce)


def fail(jobs: JobStore, clock: Any) -> str:
    job = jobs.claim("seat.1") or jobs.claim("seat.1")
    assert job
    clock.move(1)
    assert jobs.fail(job.claim, Failure("x", "It failed.", permanent=False))
    return job.id


def tell(outbox: CallbackStore, clock: Any) -> str:
    callback = taken(outbox)
    assert outbox.record(callback, "seat.1", outcome(clock, State.DONE)) is State.DONE
    return callback.id


def told(outbox: CallbackStore, job_id: str) -> list[tuple[str, State]]:
    return [(callback.type, callback.state) for callback, _ in outbox.of_job(job_id, "key1")]


def test_what_is_not_delivered_of_an_earlier_end_is_never_told(
    outbox: CallbackStore, jobs: JobStore, movable_clock: Any
) -> None:
    """The failure's receiver is down; the job is tried again and goes well."""
    jobs.submit(new_job())
    job_id = fail(jobs, movable_clock)
    for _ in range(2):
        assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.READY, 600.0, None))
    jobs.retry(job_id)
    assert told(outbox, job_id) == [("job.failed", State.SUPERSEDED)]
    assert outbox.redeliver(job_id, "key1") == 0
    again = jobs.claim("seat.1")
    assert again
    movable_clock.move(1)
    assert jobs.finish(again.claim, {})
    movable_clock.move(600)
    assert {taken(outbox).type for _ in range(2)} == {"job.done"}
    assert outbox.claim_due("seat.1", 60) is None


def test_a_try_under_way_while_the_job_is_tried_again(
    outbox: CallbackStore, jobs: JobStore, movable_clock: Any
) -> None:
    """It goes on, its host has no other meanwhile, and when it fails it is not made again."""
    jobs.submit(new_job())
    job_id = fail(jobs, movable_clock)
    first, second = taken(outbox), taken(outbox)
    jobs.retry(job_id)
    assert outbox.counts()[State.SUPERSEDED] == 2
    fail(jobs, movable_clock)
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.record(first, "seat.1", outcome(movable_clock, State.READY, 1.0, 500)) is State.SUPERSEDED
    assert outbox.record(second, "seat.1", outcome(movable_clock, State.DONE)) is State.DONE
    assert outbox.counts() == {**dict.fromkeys(State, 0), State.SUPERSEDED: 1, State.DONE: 1, State.READY: 2}
    movable_clock.move(1)
    later = {taken(outbox).id, taken(outbox).id}
    assert not later & {first.id, second.id}


@pytest.mark.parametrize("by", ["a new start", "tidying"])
def test_a_try_that_is_lost_and_superseded_is_not_made_again(
    outbox: CallbackStore, jobs: JobStore, movable_clock: Any, by: str
) -> None:
    jobs.submit(new_job())
    job_id = fail(jobs, movable_clock)
    taken(outbox), taken(outbox)
    jobs.retry(job_id)
    assert (outbox.release_seat("seat") if by == "a new start" else outbox.tidy("seat.1", ())) == 0
    assert outbox.claim_due("seat.1", 60) is None
    fail(jobs, movable_clock)
    assert {taken(outbox).state for _ in range(2)} == {State.SENDING}  # nobody holds up the hosts any more


def test_once_more_is_for_the_present_end(outbox: CallbackStore, jobs: JobStore, movable_clock: Any) -> None:
    """An earlier end was told, and is not told after the later one."""
    jobs.submit(new_job())
    job_id = fail(jobs, movable_clock)
    for _ in range(2):
        assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.DONE))
    jobs.retry(job_id)
    assert outbox.redeliver(job_id, "key1") == 0
    again = jobs.claim("seat.1")
    assert again
    movable_clock.move(1)
    assert jobs.finish(again.claim, {})
    for _ in range(2):
        assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.FAILED))
    assert outbox.redeliver(job_id, "key1") == 1
    assert taken(outbox).type == "job.done"
    assert outbox.claim_due("seat.1", 60) is None


def test_once_more_after_two_failures_tells_of_the_last(
    outbox: CallbackStore, jobs: JobStore, movable_clock: Any, vix_database: Database
) -> None:
    jobs.submit(new_job())
    job_id = fail(jobs, movable_clock)
    first = {tell(outbox, movable_clock) for _ in range(2)}
    jobs.retry(job_id)
    fail(jobs, movable_clock)
    last = {tell(outbox, movable_clock) for _ in range(2)}
    with vix_database.write() as connection:  # as after a clock was put right
        JobRow.update(finished_at=movable_clock() + timedelta(days=1)).execute(connection)
    assert outbox.redeliver(job_id, "key1") == 1
    assert taken(outbox).id in last - first
    assert outbox.claim_due("seat.1", 60) is None
