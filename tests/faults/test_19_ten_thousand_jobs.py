"""Row 19: ten thousand jobs wait. What a worker and a list of jobs cost does not grow with them; counted in the steps
of SQLite's virtual machine and in bytes, as time says more about the machine."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.errors import TooManyRequests
from daemon.jobs import Job, Limits, Repeat, Status
from daemon.store.database import Database, open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.views import JobViews
from tests.daemon.conftest import new_job
from tests.daemon.many_jobs import fill, plan, statements

FEW, MANY = 200, 10_000
STEP = 10
MOST_BYTES = 2**20


def steps(database: Database, act: Callable[[], object]) -> int:
    """How many instructions SQLite runs for what `act` does, rounded down to STEP."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += STEP

    with database.read() as connection:
        raw = connection.connection()
    raw.set_progress_handler(count, STEP)
    try:
        act()
    finally:
        raw.set_progress_handler(None, STEP)
    return counted


def claimed(database: Database) -> Job:
    job = JobStore(database).claim("seat.1-ab")
    assert job
    return job


def give_out(database: Database) -> object:
    store = JobStore(database)
    job = claimed(database)
    return store.report(job.claim, stage="render", progress=1), store.finish(job.claim, {})


def start(database: Database) -> object:
    claimed(database)
    return JobStore(database).release_seat("seat")


def submit(database: Database) -> object:
    store = JobStore(database)
    with pytest.raises(TooManyRequests):  # counted up to the limit, not to the end
        store.submit(new_job(), limits=Limits(waiting=50))
    return store.submit(new_job(), repeat=Repeat("word", "a" * 64))


def cancel(database: Database) -> object:
    return JobStore(database).cancel("job_in_queue7", "key1")


def page(database: Database) -> object:
    views = JobViews(database)
    first = views.page("key1", limit=100)
    return views.page("key1", limit=100, before=first.next), views.page("key1", statuses=list(Status), limit=100)


def status(database: Database) -> object:
    return JobStore(database).get("job_in_queue8"), JobViews(database).speeds(50), EventStore(database).after("job_8")


def full(path: Path, count: int) -> Database:
    database = open_database(path)
    fill(path, in_queue=count, done=count)
    return database


@pytest.mark.parametrize("act", [give_out, start, submit, cancel, page, status])
def test_it_costs_as_much_as_with_a_few(tmp_path: Path, act: Callable[[Database], object]) -> None:
    with closing(full(tmp_path / "few.db", FEW)) as few, closing(full(tmp_path / "many.db", MANY)) as many:
        with_few = steps(few, lambda: act(few))
        with_many = steps(many, lambda: act(many))
        tracemalloc.start()
        try:
            act(many)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert with_few > 0
    assert with_many <= 1.5 * with_few + 100  # trees of pages are deeper, but not fifty times
    assert peak < MOST_BYTES


def test_places_and_counts_are_read_from_indexes_alone(tmp_path: Path) -> None:
    """They have to count; they must not read a row for it, which is long."""
    with closing(full(tmp_path / "vix.db", MANY)) as database:
        views, last = JobViews(database), JobStore(database).submit(new_job()).job
        with statements(database) as seen:
            assert views.waiting() == MANY + 1
            assert views.counts()[Status.IN_QUEUE] == MANY + 1
            assert views.line(last).position == MANY + 1
        counting = [statement for statement in seen if "COUNT(" in statement]
        assert len(counting) == 4
        assert [text for statement in counting if "COVERING INDEX" not in (text := plan(database, statement))] == []


def test_the_order_holds(tmp_path: Path) -> None:
    with closing(full(tmp_path / "vix.db", MANY)) as database:
        store = JobStore(database)
        first = store.submit(replace(new_job(), priority=1)).job
        last = store.submit(replace(new_job(), priority=-1)).job
        ids = [claimed(database).id for _ in range(20)]
        assert ids == [first.id, *(f"job_in_queue{number}" for number in range(1, 20))]
        assert JobViews(database).line(last).position == MANY - 18
