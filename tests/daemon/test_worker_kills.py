"""Real worker processes, killed and stopped in the middle of their work: no job is lost, none is made twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from daemon.jobs import Job, Status
from daemon.queue import Doorbell
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from daemon.worker.lock import WorkerLock
from tests.daemon.workers import (
    PATIENCE_S,
    count,
    eventually,
    is_alive,
    is_ready,
    is_rendering,
    submit,
    worker,
)


@pytest.fixture
def patient_store(tmp_path: Path) -> Iterator[JobStore]:
    database = open_database(tmp_path / "vix.db")
    yield JobStore(database)
    database.close()


def write_down_ends(path: Path) -> None:
    """Have the database itself note each time a job becomes done."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table ends (id text)")
        connection.execute(
            "create trigger ended after update of status on job when new.status = 'done' and old.status != 'done'"
            " begin insert into ends values (new.id); end"
        )


def check_all_done_once(data: Path, store: JobStore, jobs: list[Job]) -> None:
    with closing(sqlite3.connect(data / "vix.db")) as connection:
        ends = Counter(row[0] for row in connection.execute("select id from ends"))
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    assert ends == Counter(job.id for job in jobs)
    for job in jobs:
        found = store.get(job.id)
        assert (found.status, found.error) == (Status.DONE, None)
        assert found.result
        assert found.result["attempt"] == found.attempt
        assert found.film == found.stem
        assert int((data / "films" / f"{found.film}.mp4").read_text()) == found.result["maker"]
    assert not (data / "overlaps").exists(), "two films were made at once"


@pytest.mark.parametrize("seed", [7])
def test_the_queue_file_may_vanish_at_any_time(tmp_path: Path, patient_store: JobStore, seed: int) -> None:
    print(f"seed {seed}")
    random_ = random.Random(seed)
    doorbell = Doorbell(tmp_path / "queue.db")
    write_down_ends(tmp_path / "vix.db")
    jobs: list[Job] = []
    with worker(tmp_path) as process:
        for number in range(30):
            jobs.append(submit(patient_store, 0.01))
            doorbell.ring(jobs[-1].id)
            time.sleep(random_.uniform(0, 0.1))
            if number % 3 == 0:
                for file in tmp_path.glob("queue.db*"):
                    file.unlink(missing_ok=True)
            elif number % 7 == 0:
                (tmp_path / "queue.db").write_bytes(random_.randbytes(5000))
        eventually(lambda: count(tmp_path / "vix.db", "done") == len(jobs), "all films are made")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    doorbell.close()
    check_all_done_once(tmp_path, patient_store, jobs)


def test_the_child_dies_with_the_worker(tmp_path: Path, patient_store: JobStore) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        maker = int((tmp_path / "maker.pid").read_text())
        assert is_alive(maker)
        process.kill()
        process.wait(PATIENCE_S)
        eventually(lambda: not is_alive(maker), "the child is gone")


class TestLock:
    def test_a_second_worker_is_refused(self, tmp_path: Path) -> None:
        with worker(tmp_path) as first:
            eventually(partial(is_ready, tmp_path), "the first worker is there")
            with worker(tmp_path) as second:
                _, said = second.communicate()
                assert second.returncode == 3
                assert f"process {first.pid}" in said
                assert "Traceback" not in said
            assert first.poll() is None

    def test_a_second_worker_leaves_the_firsts_jobs_alone(self, tmp_path: Path, patient_store: JobStore) -> None:
        job = submit(patient_store, 600)
        with worker(tmp_path):
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            with worker(tmp_path) as second:
                assert second.wait(PATIENCE_S) == 3
            assert patient_store.get(job.id).status is Status.RENDERING

    def test_it_is_free_again_after_a_kill(self, tmp_path: Path) -> None:
        with worker(tmp_path) as process:
            eventually(partial(is_ready, tmp_path), "the worker is there")
            process.kill()
            process.wait(PATIENCE_S)
        with WorkerLock(tmp_path / "worker.lock"):
            pass
