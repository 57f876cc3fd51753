"""Several processes that want the same at the same time. Each has a Database of its own, as if it ran elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from daemon.errors import WrongState
from daemon.jobs import Failure, Repeat, Status
from daemon.store.database import Database, open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.views import JobViews
from tests.daemon.conftest import new_job

RIVALS = 5
ROUNDS = 6
T = TypeVar("T")


@pytest.fixture
def databases(database_url: Path | str) -> Iterator[list[Database]]:
    opened = [open_database(database_url) for _ in range(RIVALS)]
    yield opened
    for database in opened:
        database.close()


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Let all begin at the same moment."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def test_twins_of_a_request_are_one_job(databases: list[Database]) -> None:
    for number in range(ROUNDS):
        twin = Repeat(f"word {number}", "a" * 64)
        found = at_once([partial(JobStore(database).submit, new_job(), repeat=twin) for database in databases])
        assert len({submitted.job.id for submitted in found}) == 1
        assert sorted(submitted.repeated for submitted in found) == [False] + [True] * (RIVALS - 1)
    assert JobViews(databases[0]).waiting() == ROUNDS


def test_a_job_is_given_out_once(databases: list[Database]) -> None:
    submitted = {JobStore(databases[0]).submit(new_job()).job.id for _ in range(RIVALS * ROUNDS)}

    def take(store: JobStore) -> list[tuple[str, int]]:
        return [(job.id, job.attempt) for job in iter(lambda: store.claim("me"), None)]

    given = [taken for some in at_once([partial(take, JobStore(one)) for one in databases]) for taken in some]
    assert sorted(given) == sorted((job_id, 1) for job_id in submitted)


def test_a_job_ends_once(databases: list[Database]) -> None:
    """Its worker finishes it or fails, somebody cancels it, and another worker takes it for dead."""
    stores = [JobStore(database) for database in databases]

    def cancel(job_id: str) -> bool:
        try:
            return stores[2].cancel(job_id).status is Status.CANCELLED
        except WrongState:
            return False

    for _ in range(ROUNDS):
        stores[0].submit(new_job())
        job = stores[0].claim("seat.1")
        assert job
        acts: list[Callable[[], bool]] = [
            partial(stores[0].finish, job.claim, {}),
            partial(stores[1].fail, job.claim, Failure("a", "b", False)),
            partial(cancel, job.id),
            lambda: bool(stores[3].release(["seat.1"], max_attempts=1).failed),
        ]
        assert sum(at_once(acts)) == 1
        ends = [event.type for event in EventStore(databases[0]).after(job.id)][2:]
        assert ends == [f"job.{stores[0].get(job.id).status}"]
