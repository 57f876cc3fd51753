from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.errors import DatabaseBroken, DatabaseBusy, DiskFull
from daemon.store.database import Database, open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job


@contextmanager
def write_locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def next_id(store: JobStore) -> str | None:
    job = store.claim("me")
    return job.id if job else None


class TestErrors:
    """What SQLite says becomes one of our errors, and nothing is half written."""

    def test_busy(self, vix_database: Database, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        with write_locked(vix_database.path):
            with pytest.raises(DatabaseBusy) as caught:
                job_store.submit(new_job())
            with pytest.raises(DatabaseBusy):
                job_store.claim("me")
            assert job_store.get(job.id) == job  # readers do not wait
        assert caught.value.__cause__ is not None
        assert job_store.waiting() == 1
        assert next_id(job_store) == job.id

    def test_full(self, vix_database: Database, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        with vix_database.read() as connection:
            raw = connection.connection()
            pages = connection.pragma("page_count")
        raw.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(DiskFull) as caught:
            job_store.submit(replace(new_job(), spec={"a": "x" * 100_000}))
        assert caught.value.__cause__ is not None
        assert job_store.get(job.id) == job
        raw.execute("pragma max_page_count = 1000000")
        assert job_store.submit(new_job()).id
        assert job_store.waiting() == 2

    def test_a_file_that_may_not_grow(self, tmp_path: Path) -> None:
        script = """
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from daemon.errors import DiskFull
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job
store = JobStore(open_database(Path(sys.argv[1])))
job = store.submit(new_job())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    store.submit(replace(new_job(), spec={"a": "x" * 300_000}))
except DiskFull:
    assert store.get(job.id) == job and store.waiting() == 1
    print("full")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.submit(replace(new_job(), spec={"a": "x" * 300_000}))
assert store.waiting() == 2
"""
        done = subprocess.run([sys.executable, "-c", script, tmp_path / "v.db"], capture_output=True, text=True)
        assert (done.stdout, done.returncode) == ("full\n", 0), done.stderr

    def test_not_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "vix.db"
        path.write_bytes(b"not a database at all\n" * 500)
        with pytest.raises(DatabaseBroken):
            open_database(path)
        assert path.read_bytes().startswith(b"not a database")

    def test_a_damaged_database(self, vix_database: Database, job_store: JobStore) -> None:
        for _ in range(200):
            job_store.submit(new_job())
        vix_database.close()
        content = bytearray(vix_database.path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        vix_database.path.write_bytes(content)
        with pytest.raises(DatabaseBroken):
            job_store.claim("me")

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseBroken):
            open_database(tmp_path / "missing" / "vix.db")

    def test_a_mistake_in_a_query_is_not_hidden(self, vix_database: Database) -> None:
        with pytest.raises(Exception, match="no such table") as caught, vix_database.read() as connection:
            connection.execute_sql("select * from missing_table")
        assert not isinstance(caught.value, DatabaseBroken)


class TestOpening:
    def test_many_at_once(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from daemon.store.database import open_database;"
            "open_database(Path(sys.argv[1]))"
        )
        path = tmp_path / "vix.db"
        started = [subprocess.Popen([sys.executable, "-c", script, path]) for _ in range(6)]
        assert [process.wait() for process in started] == [0] * 6
        database = open_database(path)
        JobStore(database).submit(new_job())
        database.close()

    def test_a_second_opening_keeps_what_is_there(self, vix_database: Database, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        again = open_database(vix_database.path)
        assert JobStore(again).get(job.id) == job
        again.close()

    def test_a_connection_is_not_used_across_a_fork(self, tmp_path: Path) -> None:
        script = """
import os, sys
from pathlib import Path
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
store = JobStore(open_database(Path(sys.argv[1])))
assert store.waiting() == 0
pid = os.fork()
if not pid:
    try:
        store.waiting()
    except RuntimeError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert store.waiting() == 0
"""
        subprocess.run([sys.executable, "-c", script, tmp_path / "vix.db"], check=True)

    def test_threads_share_nothing_but_the_file(self, tmp_path: Path) -> None:
        database = open_database(tmp_path / "vix.db")
        store = JobStore(database)
        with ThreadPoolExecutor(8) as threads:
            jobs = list(threads.map(lambda _: store.submit(new_job()), range(64)))
            found = list(threads.map(lambda job: store.get(job.id), jobs))
        assert found == jobs
        assert store.waiting() == 64
        database.close()
