"""Somebody holds the database for longer than anybody waits: who writes is told to come back, nothing is lost, and
who reads does not notice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import DatabaseBusy
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job


def test_held_by_another_process(database_url: Path | str) -> None:
    database, other = open_database(database_url, busy_s=0.3), open_database(database_url)
    store = JobStore(database)
    first = store.submit(new_job("first")).job
    claimed = store.claim("me")
    assert claimed
    with other.write():
        with ThreadPoolExecutor(6) as threads:
            waiting = [threads.submit(store.submit, new_job(str(number))) for number in range(6)]
            assert [type(one.exception()) for one in waiting] == [DatabaseBusy] * 6
        with pytest.raises(DatabaseBusy):
            store.finish(claimed.claim, {})
        assert store.get(first.id).id == first.id
        assert store.holds(claimed.claim)
    assert store.finish(claimed.claim, {})
    assert store.claim("me") is None  # none of the six is there, as each was told
    assert store.submit(new_job("second")).job.id
    database.close()
    other.close()
