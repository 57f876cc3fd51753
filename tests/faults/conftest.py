"""Databases of every kind that is there, for tests of whole processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests import servers


@pytest.fixture(params=servers.DATABASES)
def every_target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where an empty database is: once for each kind that is there. A file lies in no data folder."""
    with servers.fresh_database(request.param, tmp_path) as target:
        yield target


@pytest.fixture
def patient_store(tmp_path: Path) -> Iterator[JobStore]:
    """Jobs in `vix.db`, asked for with a busy time-out that only bounds a failure."""
    database = open_database(tmp_path / "vix.db")
    yield JobStore(database)
    database.close()
