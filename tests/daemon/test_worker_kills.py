"""Real worker processes, killed and stopped in the middle of their work: no job is lost, none is made twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from daemon.jobs import Job, Status
from daemon.lock import WorkerLock
from daemon.queue import Doorbell
from daemon.signals import ASK, HURRY
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.workers import (
    PATIENCE_S,
    count,
    eventually,
    has_heard,
    is_alive,
    is_rendering,
    state,
    timed_job,
    worker,
)

KILLS = 20


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


def makes_a_film(process: subprocess.Popen[str], path: Path) -> bool:
    """Whether this very worker is at it; one that was killed has left its claim behind."""
    with closing(sqlite3.connect(path)) as connection:
        owners = [row[0] for row in connection.execute("select owner from job where status = 'rendering'")]
    return any(owner.startswith(f"{process.pid}-") for owner in owners)


def caught_at_it(process: subprocess.Popen[str], path: Path) -> bool:
    """Whether it makes a film and can no longer end that; else it goes on."""
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: state(process.pid) == "T", "the worker stands still")
    if makes_a_film(process, path):
        return True
    process.send_signal(signal.SIGCONT)
    return False


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
        assert int((data / "films" / f"{job.id}.mp4").read_text()) == found.result["maker"]
    assert not (data / "overlaps").exists(), "two films were made at once"


@pytest.mark.parametrize("seed", [20261121])
def test_twenty_kills_lose_nothing(tmp_path: Path, patient_store: JobStore, seed: int) -> None:
    print(f"seed {seed}")
    random_ = random.Random(seed)
    doorbell = Doorbell(tmp_path / "queue.db")
    write_down_ends(tmp_path / "vix.db")
    jobs: list[Job] = []

    def submit(number: int) -> None:
        for _ in range(number):
            jobs.append(patient_store.submit(timed_job(random_.uniform(0.05, 0.3))))
            doorbell.ring(jobs[-1].id)

    submit(6)
    interrupted = 0
    for number in range(KILLS):
        submit(2)
        with worker(tmp_path, max_attempts=1000) as process:
            eventually(partial(makes_a_film, process, tmp_path / "vix.db"), "a film is being made")
            time.sleep(random_.uniform(0, 0.4))
            submit(1)
            if number % 2:  # in the middle of a film; the other half at any moment
                eventually(partial(caught_at_it, process, tmp_path / "vix.db"), "it is caught at a film")
            process.kill()
            process.wait(PATIENCE_S)
        interrupted += count(tmp_path / "vix.db", "rendering")
    assert interrupted >= KILLS // 2
    with worker(tmp_path, max_attempts=1000) as process:
        eventually(lambda: count(tmp_path / "vix.db", "done") == len(jobs), "all films are made")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    doorbell.close()
    check_all_done_once(tmp_path, patient_store, jobs)
    assert sum(patient_store.get(job.id).attempt for job in jobs) == len(jobs) + interrupted


@pytest.mark.parametrize("seed", [7])
def test_the_queue_file_may_vanish_at_any_time(tmp_path: Path, patient_store: JobStore, seed: int) -> None:
    print(f"seed {seed}")
    random_ = random.Random(seed)
    doorbell = Doorbell(tmp_path / "queue.db")
    write_down_ends(tmp_path / "vix.db")
    jobs: list[Job] = []
    with worker(tmp_path) as process:
        for number in range(30):
            jobs.append(patient_store.submit(timed_job(0.01)))
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
    job = patient_store.submit(timed_job(600))
    with worker(tmp_path) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        maker = int((tmp_path / "maker.pid").read_text())
        assert is_alive(maker)
        process.kill()
        process.wait(PATIENCE_S)
        eventually(lambda: not is_alive(maker), "the child is gone")


def test_a_job_that_kills_the_worker_is_given_up(tmp_path: Path, patient_store: JobStore) -> None:
    poison = patient_store.submit(timed_job(0.01, poison=True))
    innocent = patient_store.submit(timed_job(0.01))
    for _ in range(3):
        with worker(tmp_path, max_attempts=3) as process:
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with worker(tmp_path, max_attempts=3):
        eventually(lambda: patient_store.get(innocent.id).status is Status.DONE, "the next film is made")
    job = patient_store.get(poison.id)
    assert job.error
    assert (job.status, job.error.code, job.attempt) == (Status.FAILED, "worker_died", 3)


class TestStop:
    def test_a_film_may_finish(self, tmp_path: Path, patient_store: JobStore) -> None:
        job, following = (patient_store.submit(timed_job(1)) for _ in range(2))
        with worker(tmp_path, stop_s=60) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        assert patient_store.get(job.id).status is Status.DONE
        assert patient_store.get(following.id).attempt == 0

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_long_film_is_put_back(self, tmp_path: Path, patient_store: JobStore, number: signal.Signals) -> None:
        job = patient_store.submit(timed_job(600))
        with worker(tmp_path, stop_s=0.2) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0
        found = patient_store.get(job.id)
        assert (found.status, found.owner, found.error) == (Status.IN_QUEUE, None, None)
        assert not is_alive(int((tmp_path / "maker.pid").read_text()))
        assert patient_store.reconcile(max_attempts=1).failed == ()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_second_signal_does_not_wait(
        self, tmp_path: Path, patient_store: JobStore, number: signal.Signals
    ) -> None:
        job = patient_store.submit(timed_job(600))
        with worker(tmp_path, stop_s=600) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(signal.SIGTERM)
            eventually(lambda: has_heard(tmp_path), "it knows")
            assert process.poll() is None
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0
        assert patient_store.get(job.id).status is Status.IN_QUEUE

    def test_two_signals_that_come_together_are_two(self, tmp_path: Path, patient_store: JobStore) -> None:
        job = patient_store.submit(timed_job(600))
        with worker(tmp_path, stop_s=600) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(signal.SIGSTOP)  # so that it finds both at once
            process.send_signal(ASK)
            process.send_signal(HURRY)
            process.send_signal(signal.SIGCONT)
            assert process.wait(PATIENCE_S) == 0
        assert patient_store.get(job.id).status is Status.IN_QUEUE

    def test_nohup_keeps_it_from_the_end_of_a_session(self, tmp_path: Path, patient_store: JobStore) -> None:
        job = patient_store.submit(timed_job(1))
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with worker(tmp_path) as process:
                eventually(lambda: is_rendering(patient_store, job), "the film is being made")
                process.send_signal(signal.SIGHUP)
                following = patient_store.submit(timed_job(0.01))
                eventually(lambda: patient_store.get(following.id).status is Status.DONE, "it goes on")
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_a_signal_to_the_whole_group_fails_no_job(self, tmp_path: Path, patient_store: JobStore) -> None:
        job = patient_store.submit(timed_job(600))
        with worker(tmp_path, stop_s=600) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(signal.SIGTERM)
            maker = int((tmp_path / "maker.pid").read_text())
            eventually(lambda: has_heard(tmp_path), "it knows")
            os.kill(maker, signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        assert patient_store.get(job.id).status is Status.IN_QUEUE

    def test_an_idle_worker_ends(self, tmp_path: Path) -> None:
        with worker(tmp_path, stop_s=600) as process:
            eventually((tmp_path / "worker.json").exists, "the worker is there")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0


class TestLock:
    def test_a_second_worker_is_refused(self, tmp_path: Path) -> None:
        with worker(tmp_path) as first:
            eventually((tmp_path / "worker.json").exists, "the first worker is there")
            with worker(tmp_path) as second:
                _, said = second.communicate()
                assert second.returncode == 3
                assert f"process {first.pid}" in said
                assert "Traceback" not in said
            assert first.poll() is None

    def test_a_second_worker_leaves_the_firsts_jobs_alone(self, tmp_path: Path, patient_store: JobStore) -> None:
        job = patient_store.submit(timed_job(600))
        with worker(tmp_path):
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            with worker(tmp_path) as second:
                assert second.wait(PATIENCE_S) == 3
            assert patient_store.get(job.id).status is Status.RENDERING

    def test_it_is_free_again_after_a_kill(self, tmp_path: Path) -> None:
        with worker(tmp_path) as process:
            eventually((tmp_path / "worker.json").exists, "the worker is there")
            process.kill()
            process.wait(PATIENCE_S)
        with WorkerLock(tmp_path / "worker.lock"):
            pass
