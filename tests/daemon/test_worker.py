from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.errors import AlreadyRunning, DatabaseBroken
from daemon.jobs import Job, Report, Status
from daemon.lock import WorkerLock
from daemon.queue import Doorbell
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.worker import Outcome, RunJob, Worker
from render.errors import FFmpegFailed, MediaError, RenderError
from tests.daemon.conftest import new_job
from tests.daemon.workers import eventually, is_alive, timed_job, worker

Hire = Callable[..., Worker]


@pytest.fixture
def hire(tmp_path: Path, job_store: JobStore) -> Iterator[Hire]:
    """Make workers that share one lock."""
    with WorkerLock(tmp_path / "worker.lock") as lock:

        def make(run_job: RunJob, store: JobStore = job_store, **options: float) -> Worker:
            doorbell = Doorbell(tmp_path / "queue.db")
            folders = {"data": tmp_path, "work": tmp_path / "work", "films": tmp_path / "films"}
            return Worker(store, doorbell, run_job, lock=lock, sweep_s=0.05, **folders, **options)  # type: ignore[arg-type]

        yield make


def well(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
    report("render", 50)
    return Outcome({"a": 1}, ("careful",))


def failing(exc: Exception) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        raise exc

    return run_job


class TestOneJob:
    def test_it_goes_well(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        boss = hire(well)
        assert boss.run_once()
        found = job_store.get(job.id)
        assert (found.status, found.result, found.warnings) == (Status.DONE, {"a": 1}, ("careful",))
        assert found.owner == boss.owner
        assert not boss.run_once()

    @pytest.mark.parametrize(
        ("exc", "code", "permanent", "message"),
        [
            (MediaError("clip.mp4 is broken"), "bad_media", True, "clip.mp4 is broken"),
            (FFmpegFailed("FFmpeg ended with code 1", "moov atom /secret"), "ffmpeg_failed", False, "code 1"),
            (RenderError("no"), "render_failed", True, "no"),
            (ZeroDivisionError("/secret"), "internal", False, "the log says what"),
            (MemoryError(), "internal", False, "the log says what"),
            (OSError(errno.ENOSPC, "No space", "/secret"), "disk_full", False, "The disk is full"),
            (OSError(errno.EACCES, "Denied", "/secret"), "internal", False, "the log says what"),
            (DatabaseBroken("/secret"), "internal", False, "the log says what"),
        ],
    )
    def test_it_fails_and_the_next_one_runs(
        self, hire: Hire, job_store: JobStore, exc: Exception, code: str, permanent: bool, message: str
    ) -> None:
        broken, following = job_store.submit(new_job()), job_store.submit(new_job())
        assert hire(failing(exc)).run_once()
        job = job_store.get(broken.id)
        assert job.error
        assert (job.status, job.error.code, job.error.permanent) == (Status.FAILED, code, permanent)
        assert message in job.error.message
        assert "secret" not in job.error.message
        assert hire(well).run_once()
        assert job_store.get(following.id).status is Status.DONE

    def test_ffmpegs_last_lines_are_in_the_log(
        self, hire: Hire, job_store: JobStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = job_store.submit(new_job())
        hire(failing(FFmpegFailed("ended", "moov atom not found"))).run_once()
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.__dict__["job"] == job.id
        assert "moov atom not found" in caplog.text

    def test_a_result_that_cannot_be_stored(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        assert hire(lambda *_: Outcome({"path": Path("a")})).run_once()
        found = job_store.get(job.id)
        assert found.error
        assert (found.status, found.error.code) == (Status.FAILED, "internal")

    def test_a_lost_claim_stops_the_run_and_writes_nothing(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        seen: list[bool] = []

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            seen.extend([report("prepare", 0), cancelled()])
            job_store.reconcile()
            seen.extend([report("render", 1), cancelled()])
            return Outcome({})

        assert hire(run_job).run_once()
        assert seen == [True, False, False, True]
        assert job_store.get(job.id).status is Status.IN_QUEUE

    def test_progress_is_not_written_more_often_than_needed(
        self, hire: Hire, job_store: JobStore, vix_database: Database
    ) -> None:
        with closing(sqlite3.connect(vix_database.path)) as connection, connection:
            connection.execute("create table reports (stage text, progress integer)")
            connection.execute(
                "create trigger reported after update of progress on job when new.status = 'rendering'"
                " begin insert into reports values (new.stage, new.progress); end"
            )

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            for progress in range(100):
                assert report("render", progress)
            assert report("check", 99)
            assert report("check", 99)
            return Outcome({})

        job_store.submit(new_job())
        hire(run_job).run_once()
        with closing(sqlite3.connect(vix_database.path)) as connection:
            reports = connection.execute("select * from reports").fetchall()
        assert reports[0] == ("render", 0)
        assert reports[-1] == ("check", 99)
        assert len(reports) < 20


class TestTrouble:
    def test_a_busy_database_makes_the_end_wait_and_not_fail(
        self, hire: Hire, job_store: JobStore, vix_database: Database
    ) -> None:
        job = job_store.submit(new_job())
        other = sqlite3.connect(vix_database.path, isolation_level=None, check_same_thread=False)

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            other.execute("begin immediate")
            assert report("render", 50)  # cannot be written, and is no reason to stop
            assert not cancelled()
            threading.Timer(1, other.execute, ["rollback"]).start()
            return Outcome({"a": 1})

        assert hire(run_job).run_once()
        assert job_store.get(job.id).result == {"a": 1}
        other.close()

    def test_a_busy_database_makes_the_claim_wait(
        self, hire: Hire, job_store: JobStore, vix_database: Database
    ) -> None:
        job_store.submit(new_job())
        boss = hire(well)
        with closing(sqlite3.connect(vix_database.path, isolation_level=None)) as other:
            other.execute("begin immediate")
            assert not boss.run_once()
            other.execute("rollback")
        assert boss.run_once()

    def test_only_the_holder_of_the_lock_may_run(self, tmp_path: Path, job_store: JobStore) -> None:
        doorbell, lock = Doorbell(tmp_path / "queue.db"), WorkerLock(tmp_path / "lock")
        boss = Worker(job_store, doorbell, well, lock=lock, data=tmp_path, work=tmp_path, films=tmp_path)
        with pytest.raises(ValueError, match="lock"):
            boss.run()


class TestRun:
    def test_a_dead_workers_leftovers_are_put_right(self, hire: Hire, job_store: JobStore, tmp_path: Path) -> None:
        job = job_store.submit(new_job())
        job_store.claim("a dead one")
        attempt = tmp_path / "work" / "job_1"
        attempt.mkdir(parents=True)
        (attempt / "film.part").touch()
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "film.mp4").touch()
        (tmp_path / "work" / "link").symlink_to(tmp_path / "precious")
        (tmp_path / "work" / "file").touch()
        (tmp_path / "films").mkdir()
        for name in ("job_0.mp4", "job_0.jpg", "job_1.mp4.part", "job_1.jpg.part"):
            (tmp_path / "films" / name).touch()

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop()
            return Outcome({})

        boss = hire(run_job)
        boss.run()
        assert job_store.get(job.id).status is Status.DONE
        assert list((tmp_path / "work").iterdir()) == []
        assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["job_0.jpg", "job_0.mp4"]
        assert (tmp_path / "precious" / "film.mp4").exists()

    def test_a_job_is_found_without_a_ring(self, hire: Hire, job_store: JobStore) -> None:
        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop()
            return Outcome({})

        boss = hire(run_job)
        threading.Timer(0.3, job_store.submit, [new_job()]).start()
        boss.run()
        assert job_store.waiting() == 0

    def test_the_heartbeat_tells_what_is_done(self, hire: Hire, job_store: JobStore, tmp_path: Path) -> None:
        told = []

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            told.append(json.loads((tmp_path / "worker.json").read_text()))
            boss.stop()
            return Outcome({})

        job = job_store.submit(new_job())
        boss = hire(run_job, about={"ffmpeg": "9.0.2"})
        boss.run()
        assert [(beat["pid"], beat["job"], beat["ffmpeg"]) for beat in told] == [(os.getpid(), job.id, "9.0.2")]
        assert json.loads((tmp_path / "worker.json").read_text())["job"] is None


class TestLock:
    def test_an_orphan_holds_it_until_it_ends(self, tmp_path: Path) -> None:
        script = """
import subprocess, sys
from pathlib import Path
from daemon.lock import WorkerLock
with WorkerLock(Path(sys.argv[1])) as lock:
    print(subprocess.Popen(["sleep", sys.argv[2]], pass_fds=(lock.fd,), stdout=subprocess.DEVNULL).pid, flush=True)
    sys.stdin.read()
"""
        path = tmp_path / "lock"
        for seconds, patience_s in (("600", 0.2), ("1", 60.0)):
            with subprocess.Popen(
                [sys.executable, "-c", script, path, seconds], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as holder:
                assert holder.stdout
                orphan = int(holder.stdout.readline())
                holder.kill()
                holder.wait()
            assert is_alive(orphan)
            if seconds == "600":
                with pytest.raises(AlreadyRunning, match="earlier worker"):
                    WorkerLock(path, orphans_s=patience_s).__enter__()
                os.kill(orphan, 9)
            else:
                with WorkerLock(path, orphans_s=patience_s):
                    assert not is_alive(orphan)

    def test_a_number_that_is_somebody_elses_by_now_is_no_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        path.write_text(f"{os.getpid()} 12345")
        with path.open() as orphans:
            fcntl.flock(orphans, fcntl.LOCK_EX)
            with pytest.raises(AlreadyRunning, match="earlier worker"):
                WorkerLock(path, orphans_s=0.1).__enter__()
        with WorkerLock(path) as lock:
            assert lock.held
            assert path.read_text() != f"{os.getpid()} 12345"
        assert not lock.held

    def test_it_cannot_be_taken_twice(self, tmp_path: Path) -> None:
        with WorkerLock(tmp_path / "lock"), pytest.raises(AlreadyRunning, match="process"):
            WorkerLock(tmp_path / "lock").__enter__()


def test_heavy_packages_stay_out_of_the_worker() -> None:
    script = "import sys, daemon.worker; print({'numpy', 'cv2', 'PIL', 'starlette'} & sys.modules.keys())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"


def test_a_ring_wakes_an_idle_worker_process(tmp_path: Path, job_store: JobStore) -> None:
    doorbell = Doorbell(tmp_path / "queue.db")
    with worker(tmp_path):
        eventually((tmp_path / "worker.json").exists, "the worker is there")
        time.sleep(0.5)
        job = job_store.submit(timed_job(0.01))
        doorbell.ring(job.id)
        eventually(lambda: job_store.get(job.id).status is Status.DONE, "the film is made")
    doorbell.close()
