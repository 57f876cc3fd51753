from __future__ import annotations

import pytest

from daemon.jobs import Failure, Job
from daemon.store.database import Database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from tests.daemon.conftest import MovableClock, every_database, new_job

pytestmark = every_database


@pytest.fixture
def event_store(vix_database: Database) -> EventStore:
    return EventStore(vix_database)


def claimed(store: JobStore) -> Job:
    job = store.claim("seat.1-ab")
    assert job
    return job


def told(store: EventStore, job: Job) -> list[str]:
    return [event.type for event in store.after(job.id)]


def test_a_life(job_store: JobStore, event_store: EventStore, movable_clock: MovableClock) -> None:
    start = movable_clock.time
    job_store.submit(new_job())
    job = claimed(job_store)
    movable_clock.move(1)
    job_store.report(job.claim, stage="prepare", progress=0)
    job_store.report(job.claim, stage="render", progress=10)
    job_store.report(job.claim, stage="render", progress=20)  # nothing new: how far it is, is in the status
    movable_clock.move(1)
    job_store.finish(job.claim, {})
    events = event_store.after(job.id)
    assert [(event.type, event.payload) for event in events] == [
        ("job.queued", {}),
        ("job.started", {"attempt": 1}),
        ("job.stage", {"stage": "prepare", "attempt": 1}),
        ("job.stage", {"stage": "render", "attempt": 1}),
        ("job.done", {}),
    ]
    assert [(event.at - start).total_seconds() for event in events] == [0, 0, 1, 1, 2]
    assert {(event.job_id, event.level) for event in events} == {(job.id, "info")}


def test_ends_and_ways_back(job_store: JobStore, event_store: EventStore) -> None:
    job = job_store.submit(new_job()).job
    job_store.put_back(claimed(job_store).claim)
    claimed(job_store)
    job_store.release_seat("seat")
    job_store.fail(claimed(job_store).claim, Failure("bad_media", "It is broken.", permanent=True))
    job_store.retry(job.id)
    job_store.cancel(job.id)
    job_store.cancel(job.id)
    assert [(event.type, event.level, event.payload) for event in event_store.after(job.id)] == [
        ("job.queued", "info", {}),
        ("job.started", "info", {"attempt": 1}),
        ("job.put_back", "info", {"attempt": 1}),
        ("job.started", "info", {"attempt": 2}),
        ("job.put_back", "warning", {"attempt": 2}),
        ("job.started", "info", {"attempt": 3}),
        ("job.failed", "error", {"code": "bad_media", "permanent": True}),
        ("job.retried", "info", {"attempt": 3}),
        ("job.cancelled", "info", {}),
    ]


def test_they_can_be_read_on_from_any_of_them(job_store: JobStore, event_store: EventStore) -> None:
    job, other = job_store.submit(new_job()).job, job_store.submit(new_job()).job
    for _ in range(3):
        job_store.put_back(claimed(job_store).claim)
    events = event_store.after(job.id)
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert len(events) == 7
    for place, event in enumerate(events):
        assert event_store.after(job.id, event.seq) == events[place + 1 :]
        assert event_store.after(job.id, event.seq, limit=1) == events[place + 1 : place + 2]
    assert event_store.after(job.id, limit=2) == events[:2]
    assert told(event_store, other) == ["job.queued"]


def test_what_is_refused_leaves_none(job_store: JobStore, event_store: EventStore) -> None:
    job_store.submit(new_job())
    job = claimed(job_store)
    job_store.cancel(job.id)
    before = told(event_store, job)
    assert not job_store.report(job.claim, stage="late", progress=1)
    assert not job_store.finish(job.claim, {})
    assert not job_store.fail(job.claim, Failure("a", "b", False))
    assert not job_store.put_back(job.claim)
    assert told(event_store, job) == before


def test_a_message_of_any_text_is_stored(job_store: JobStore, event_store: EventStore) -> None:
    for text in ("\ud800 half", "a\x00b", "😀", "'; --", "x" * 10_000):
        job_store.submit(new_job())
        job = claimed(job_store)
        assert job_store.fail(job.claim, Failure("odd", text, True))
        assert event_store.after(job.id)[-1].message == text.replace("\ud800", "?").replace("\x00", "?")
