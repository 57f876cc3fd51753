from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import AlreadyRunning, DatabaseBroken, DatabaseBusy, DatabaseCorrupt, NotYet
from daemon.films import Films
from daemon.jobs import Claim, Job, Report, Status
from daemon.logs import JsonFormatter
from daemon.queue import Doorbell
from daemon.redaction import Redactor
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.workers import WorkerSeen, WorkerStore
from daemon.worker.lock import WorkerLock, seat
from daemon.worker.loop import Outcome, Place, Rules, RunJob, Worker
from daemon.worker.space import Ballast, Space
from render.errors import FFmpegFailed, FFmpegOutOfMemory, MediaError, NoSpace, RenderError
from tests.daemon.conftest import MovableClock, new_job
from tests.daemon.workers import eventually, is_alive, is_ready, submit, worker

Hire = Callable[..., Worker]


@pytest.fixture
def hire(tmp_path: Path, job_store: JobStore, vix_database: Database) -> Iterator[Hire]:
    """Make workers that share one lock."""
    with WorkerLock(tmp_path / "worker.lock") as lock:

        def make(
            run_job: RunJob, store: JobStore = job_store, space: Space | None = None, lease_s: float = 30, **more: Any
        ) -> Worker:
            place = Place(
                seat(tmp_path),
                lock,
                tmp_path / "work",
                Films(tmp_path / "films"),
                space or Space(tmp_path, tmp_path, least_bytes=0),
                Ballast(tmp_path / "ballast", 2**20),
            )
            rules = Rules(stop_s=30, sweep_s=0.05, lease_s=lease_s)
            doorbell = Doorbell(tmp_path / "queue.db")
            return Worker(store, WorkerStore(vix_database), doorbell, run_job, place, rules, **more)

        yield make


def well(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
    report("render", 50)
    return Outcome({"a": 1}, ("careful",))


def film_s_of(wanted_bytes: int) -> float:
    """The length of a film that needs so much of a disk: 1 MB a second, `least_bytes` apart."""
    return wanted_bytes / 2**20


def too_much_now(folder: Path) -> int:
    """More bytes than are free, and less than the disk has."""
    usage = shutil.disk_usage(folder)
    if usage.used < 2**30:
        pytest.skip("Needs a disk of which a GB is used.")
    return usage.free + usage.used // 2


def failing(exc: Exception) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        raise exc

    return run_job


class TestOneJob:
    def test_it_goes_well(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
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
            (OSError(errno.EACCES, "Denied", "/secret"), "internal", False, "the log says what"),
        ],
    )
    def test_it_fails_and_the_next_one_runs(
        self, hire: Hire, job_store: JobStore, exc: Exception, code: str, permanent: bool, message: str
    ) -> None:
        broken, following = job_store.submit(new_job()).job, job_store.submit(new_job()).job
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
        job = job_store.submit(new_job()).job
        caplog.handler.setFormatter(JsonFormatter(Redactor(())))
        hire(failing(FFmpegFailed("ended", "moov atom not found"))).run_once()
        (line,) = [json.loads(line) for line in caplog.text.splitlines() if '"ERROR"' in line]
        assert line["job"] == job.id
        assert "moov atom not found" in line["exception"]

    def test_a_result_that_cannot_be_stored(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
        assert hire(lambda *_: Outcome({"path": Path("a")})).run_once()
        found = job_store.get(job.id)
        assert found.error
        assert (found.status, found.error.code) == (Status.FAILED, "internal")

    def test_a_lost_claim_stops_the_run_and_writes_nothing(self, hire: Hire, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
        seen: list[bool] = []

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            seen.extend([report("prepare", 0), cancelled()])
            job_store.cancel(job.id)
            seen.extend([report("render", 1), cancelled()])
            return Outcome({})

        assert hire(run_job).run_once()
        assert seen == [True, False, False, True]
        assert job_store.get(job.id).status is Status.CANCELLED

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
        job = job_store.submit(new_job()).job
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

    @pytest.mark.parametrize(
        ("exc", "code"),
        [
            (OSError(errno.ENOSPC, "No space", "/secret"), "disk_full"),
            (OSError(errno.EDQUOT, "Quota", "/secret"), "disk_full"),
            (NoSpace("no room", "tail"), "disk_full"),
            (MemoryError(), "out_of_memory"),
            (FFmpegOutOfMemory("not enough memory", "tail"), "out_of_memory"),
            (DatabaseBroken("/secret"), "internal"),
            (DatabaseBusy("/secret"), "internal"),
        ],
    )
    def test_what_the_machine_lacks_for_a_moment_is_tried_again(
        self, hire: Hire, job_store: JobStore, tmp_path: Path, exc: Exception, code: str
    ) -> None:
        job = job_store.submit(new_job()).job
        boss = hire(failing(exc), space=Space(tmp_path, tmp_path, least_bytes=0, pause_s=0))
        for attempt in (1, 2):
            assert boss.run_once()
            found = job_store.get(job.id)
            assert (found.status, found.attempt, found.error) == (Status.IN_QUEUE, attempt, None)
        assert boss.run_once()
        found = job_store.get(job.id)
        assert found.error
        assert (found.status, found.error.code, found.error.permanent) == (Status.FAILED, code, False)
        assert "secret" not in found.error.message

    def test_jobs_wait_where_there_is_no_room(
        self, hire: Hire, job_store: JobStore, tmp_path: Path, vix_database: Database
    ) -> None:
        job = job_store.submit(new_job()).job
        boss = hire(well, space=Space(tmp_path, tmp_path, least_bytes=too_much_now(tmp_path)))
        assert not boss.run_once()
        found = job_store.get(job.id)
        assert (found.status, found.attempt) == (Status.IN_QUEUE, 0)
        assert hire(well).run_once()
        assert job_store.get(job.id).status is Status.DONE

    def test_what_fits_on_no_disk_of_this_size_fails_and_holds_up_nothing(
        self, hire: Hire, job_store: JobStore, tmp_path: Path
    ) -> None:
        asked: list[int] = []
        usage = shutil.disk_usage(tmp_path)
        huge = job_store.submit(new_job(film_s=film_s_of(usage.total + 2**30))).job
        small = job_store.submit(new_job(film_s=0)).job
        boss = hire(well, space=Space(tmp_path, tmp_path, least_bytes=0, make_room=asked.append))
        assert boss.run_once()
        found = job_store.get(huge.id)
        assert found.error
        assert (found.status, found.error.code, found.error.permanent) == (Status.FAILED, "no_space", True)
        needed_mb, disk_mb = (int(number) for number in re.findall(r"(\d+) MB", found.error.message))
        assert needed_mb == (usage.total + 2**30) // 10**6
        assert 0 < disk_mb <= usage.total // 10**6
        assert boss.run_once()
        assert job_store.get(small.id).status is Status.DONE
        assert asked == [], "no film goes for one that does not fit anyway"

    def test_a_film_that_has_no_room_now_lets_smaller_ones_pass(
        self, hire: Hire, job_store: JobStore, tmp_path: Path
    ) -> None:
        large = job_store.submit(replace(new_job(film_s=film_s_of(too_much_now(tmp_path))), priority=1)).job
        small = job_store.submit(new_job(film_s=0)).job
        boss = hire(well)
        assert boss.run_once()
        assert job_store.get(small.id).status is Status.DONE
        assert not boss.run_once()
        assert (job_store.get(large.id).status, job_store.get(large.id).attempt) == (Status.IN_QUEUE, 0)

    @pytest.mark.parametrize("exc", [DatabaseBroken("no"), DatabaseBusy("no"), ZeroDivisionError("no")])
    def test_progress_that_cannot_be_written_is_no_reason_to_fail(
        self, hire: Hire, vix_database: Database, movable_clock: MovableClock, exc: Exception
    ) -> None:
        class Mute(JobStore):
            def report(self, claim: Claim, *, stage: str, progress: int) -> bool:
                raise exc

        store = Mute(vix_database, movable_clock)
        job = store.submit(new_job()).job
        assert hire(well, store).run_once()
        assert store.get(job.id).status is Status.DONE

    @pytest.mark.parametrize("exc", [MediaError("FFmpeg was told to end while it probed"), NoSpace("no", "tail")])
    def test_whatever_comes_up_while_the_worker_stops_puts_the_job_back(
        self, hire: Hire, job_store: JobStore, exc: Exception
    ) -> None:
        job = job_store.submit(new_job()).job

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop()
            raise exc

        boss = hire(run_job)
        assert boss.run_once()
        found = job_store.get(job.id)
        assert (found.status, found.error) == (Status.IN_QUEUE, None)
        assert job_store.claim(boss.owner)
        assert job_store.release_seat(boss.owner.partition(".")[0], max_attempts=2).failed == (), (
            "it counts for nothing"
        )

    def test_an_answer_that_was_lost_loses_no_film(
        self, hire: Hire, tmp_path: Path, vix_database: Database, movable_clock: MovableClock
    ) -> None:
        """A server may commit and the connection break before it says so; the next try then finds the job ended."""
        store = Forgetful(vix_database, movable_clock)
        job = store.submit(new_job()).job

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            (tmp_path / "films" / f"{job.stem}.mp4").write_text("film")
            return Outcome({}, film=job.stem)

        assert hire(run_job, store).run_once()
        found = store.get(job.id)
        assert (found.status, found.film) == (Status.DONE, job.id + ".1")
        assert (tmp_path / "films" / f"{found.film}.mp4").exists()

    def test_files_of_a_job_that_was_cancelled_at_the_last_moment_go(
        self, hire: Hire, job_store: JobStore, tmp_path: Path
    ) -> None:
        job = job_store.submit(new_job()).job

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            for suffix in ("mp4", "jpg"):
                (tmp_path / "films" / f"{job.stem}.{suffix}").write_text("film")
            job_store.cancel(job.id)
            return Outcome({}, film=job.stem)

        assert hire(run_job).run_once()
        found = job_store.get(job.id)
        assert (found.status, found.film, found.error) == (Status.CANCELLED, None, None)
        assert list((tmp_path / "films").iterdir()) == []

    def test_only_the_holder_of_the_lock_may_run(
        self, tmp_path: Path, job_store: JobStore, vix_database: Database
    ) -> None:
        lock = WorkerLock(tmp_path / "lock")
        ballast = Ballast(tmp_path / "ballast", 2**20)
        place = Place("seat", lock, tmp_path, Films(tmp_path), Space(tmp_path, tmp_path), ballast)
        boss = Worker(job_store, WorkerStore(vix_database), Doorbell(tmp_path / "queue.db"), well, place)
        with pytest.raises(ValueError, match="lock"):
            boss.run()


class Forgetful(JobStore):
    """Finishes a job and then says that it could not, once: as a server does whose answer is lost."""

    forgets = True

    def finish(
        self, claim: Claim, result: dict[str, Any], warnings: Sequence[str] = (), film: str | None = None
    ) -> bool:
        answer = super().finish(claim, result, warnings, film)
        if self.forgets:
            self.forgets = False
            raise DatabaseBusy
        return answer


class TestRun:
    def test_a_dead_workers_leftovers_are_put_right(self, hire: Hire, job_store: JobStore, tmp_path: Path) -> None:
        mine = job_store.submit(new_job()).job
        theirs = job_store.submit(new_job()).job
        job_store.claim(f"{seat(tmp_path)}.123-dead")
        job_store.claim("another.123-living")
        attempt = tmp_path / "work" / "job_1.1"
        attempt.mkdir(parents=True)
        (attempt / "film.part").touch()
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "film.mp4").touch()
        (tmp_path / "work" / "link").symlink_to(tmp_path / "precious")
        (tmp_path / "work" / "file").touch()

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop()
            return Outcome({})

        boss = hire(run_job)
        boss.run()
        assert job_store.get(mine.id).status is Status.DONE
        assert job_store.get(theirs.id).status is Status.RENDERING, "its worker may live"
        assert list((tmp_path / "work").iterdir()) == []
        assert (tmp_path / "precious" / "film.mp4").exists()

    def test_a_job_is_found_without_a_ring(self, hire: Hire, job_store: JobStore) -> None:
        made: list[str] = []

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            made.append(job.id)
            boss.stop()
            return Outcome({})

        boss = hire(run_job)
        threading.Timer(0.3, job_store.submit, [new_job()]).start()
        boss.run()
        assert job_store.get(made[0]).status is Status.DONE

    def test_the_heartbeat_tells_what_is_done(
        self, hire: Hire, job_store: JobStore, vix_database: Database, tmp_path: Path
    ) -> None:
        table = WorkerStore(vix_database)
        told: list[WorkerSeen] = []

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            told.extend(table.all())
            boss.stop()
            return Outcome({})

        job = job_store.submit(new_job()).job
        boss = hire(run_job, about=lambda: {"ffmpeg": "9.0.2"})
        boss.run()
        (seen,) = told
        assert (seen.id, seen.job_id, seen.about) == (boss.owner, job.id, {"pid": os.getpid(), "ffmpeg": "9.0.2"})
        assert seen.id.startswith(f"{seat(tmp_path)}.{os.getpid()}-")
        assert table.all() == [], "one that has stopped is no worker any more"

    def test_what_runs_beside_begins_before_the_first_job_and_ends_after_the_last(
        self, hire: Hire, job_store: JobStore
    ) -> None:
        happened: list[str] = []

        @contextmanager
        def beside(name: str) -> Iterator[None]:
            happened.append(f"{name} begins")
            yield
            happened.append(f"{name} ends")

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            happened.append("film")
            boss.stop()
            return Outcome({})

        job_store.submit(new_job())
        both = [beside("courier"), beside("scheduler")]
        boss = hire(
            run_job, beside=both, between=lambda interrupted: happened.append(f"errands, interrupted: {interrupted()}")
        )
        boss.run()
        assert happened[:4] == ["courier begins", "scheduler begins", "errands, interrupted: True", "film"]
        assert sorted(happened[4:]) == ["courier ends", "scheduler ends"]

    def test_jobs_of_a_worker_that_fell_silent_are_taken_over(
        self, hire: Hire, job_store: JobStore, vix_database: Database
    ) -> None:
        """The table of workers has never heard of the owner, so it is silent from the first look on."""
        job = job_store.submit(new_job()).job
        job_store.claim("elsewhere.1-silent")

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop()
            return Outcome({})

        boss = hire(run_job, lease_s=0.2)
        boss.run()
        found = job_store.get(job.id)
        assert (found.status, found.attempt, found.owner) == (Status.DONE, 2, boss.owner)

    def test_what_it_was_stopped_for_is_raised_after_everything_has_ended(
        self, hire: Hire, job_store: JobStore, vix_database: Database
    ) -> None:
        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            boss.stop(DatabaseCorrupt())
            boss.stop()
            return Outcome({})

        job = job_store.submit(new_job()).job
        boss = hire(run_job)
        with pytest.raises(DatabaseCorrupt):
            boss.run()
        assert job_store.get(job.id).status is Status.DONE
        assert WorkerStore(vix_database).all() == []


class TestLock:
    def test_a_seat_is_one_folder_on_one_machine(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a", tmp_path / "b"
        first.mkdir()
        second.mkdir()
        (tmp_path / "link").symlink_to(first)
        assert seat(first) == seat(first) == seat(tmp_path / "link")
        assert seat(first) != seat(second)
        assert len(seat(first)) == 12
        before = seat(first)
        first.rename(tmp_path / "moved")
        first.mkdir()
        assert seat(first) != before, "another folder at the same path"

    def test_a_copy_of_a_machine_is_another_seat(self, tmp_path: Path) -> None:
        """All that it has copied is the same, but each start of each machine has a number of its own."""
        for name in ("one", "two"):
            (tmp_path / name).write_text(f"{name}-boot-id\n")
        assert seat(tmp_path, tmp_path / "one") != seat(tmp_path, tmp_path / "two")
        assert seat(tmp_path, tmp_path / "one") == seat(tmp_path, tmp_path / "one")
        assert seat(tmp_path, tmp_path / "none") == seat(tmp_path, tmp_path / "none"), "not every container shows it"

    def test_an_orphan_holds_it_until_it_ends(self, tmp_path: Path) -> None:
        script = """
import subprocess, sys
from pathlib import Path
from daemon.worker.lock import WorkerLock
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
                with pytest.raises(NotYet, match="earlier worker"):
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
            with pytest.raises(NotYet, match="earlier worker"):
                WorkerLock(path, orphans_s=0.1).__enter__()
        with WorkerLock(path) as lock:
            assert lock.held
            assert path.read_text() != f"{os.getpid()} 12345"
        assert not lock.held

    def test_it_cannot_be_taken_twice(self, tmp_path: Path) -> None:
        with WorkerLock(tmp_path / "lock"), pytest.raises(AlreadyRunning, match="process"):
            WorkerLock(tmp_path / "lock").__enter__()


def test_heavy_packages_stay_out_of_the_worker() -> None:
    script = "import sys, daemon.worker.loop; print({'numpy', 'cv2', 'PIL', 'starlette'} & sys.modules.keys())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"


def test_a_ring_wakes_an_idle_worker_process(tmp_path: Path, job_store: JobStore) -> None:
    doorbell = Doorbell(tmp_path / "queue.db")
    with worker(tmp_path):
        eventually(lambda: is_ready(tmp_path), "the worker is there")
        time.sleep(0.5)
        job = submit(job_store, 0.01)
        doorbell.ring(job.id)
        eventually(lambda: job_store.get(job.id).status is Status.DONE, "the film is made")
    doorbell.close()
