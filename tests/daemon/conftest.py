"""A database of any kind, and a clock that tests can move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.jobs import NewJob
from daemon.store.database import Database, open_database
from daemon.store.jobs import JobStore
from tests import servers


class MovableClock:
    """A clock that stands still until it is moved by time that passes, or put forward or back by somebody."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
        self._passed_s = 0.0

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self._passed_s += seconds

    def step(self, seconds: float) -> None:
        """Be put forward, or back."""
        self.time += timedelta(seconds=seconds)

    def uptime_s(self) -> float:
        """Seconds that have passed, whatever the clock says."""
        return self._passed_s


@pytest.fixture
def movable_clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def vix_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An open database: a SQLite file, and with `every_database` one of each kind that is there."""
    with servers.fresh_database(getattr(request, "param", "sqlite"), tmp_path) as target:
        database = open_database(target, busy_s=0.2)
        yield database
        database.close()


every_database = pytest.mark.parametrize("vix_database", servers.DATABASES, indirect=True)


@pytest.fixture
def job_store(vix_database: Database, movable_clock: MovableClock) -> JobStore:
    return JobStore(vix_database, movable_clock)


def new_job(name: str = "a", *, film_s: float = 10.0, key_id: str = "key1") -> NewJob:
    return NewJob(kind="template", spec={"name": name}, seed=7, key_id=key_id, film_s=film_s)
