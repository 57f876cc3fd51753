"""Row 10: no room for a film. Its job waits and is made once there is room; nothing half is left; films that are
delivered give way; and that a job has ended can be written down on a full disk, with the reserve."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.jobs import Status
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from daemon.worker.space import BALLAST_BYTES, Space
from tests.daemon.workers import PATIENCE_S, eventually, submit, timed_job, worker

MIB = 2**20
DISK_BYTES = 64 * MIB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A data folder on a disk of its own of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("Only root can mount the small disk that this needs.")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left_bytes: int) -> Path:
    """Take all room of a disk but some, while others may write there."""
    hog = folder / "hog"
    with hog.open("wb") as file:
        for step in (MIB, 4096):
            with suppress(OSError):
                while shutil.disk_usage(folder).free >= left_bytes + step:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
    return hog


def test_a_film_that_does_not_fit_is_tried_again_when_there_is_room(small_disk: Path) -> None:
    database = open_database(small_disk / "vix.db")
    store = JobStore(database)
    with worker(small_disk, least_bytes=2 * MIB, pause_s=0.5, sweep_s=0.1):
        eventually(lambda: (small_disk / "ballast").exists(), "the reserve is made")
        hog = fill(small_disk, 6 * MIB)
        job = submit(store, 0.01, bytes=20 * MIB)
        eventually(lambda: "put_back" in _log(small_disk) or _waits(store, job.id), "it did not fit")
        assert not list((small_disk / "work").glob("*/*")), "partials are gone"
        hog.unlink()
        eventually(lambda: store.get(job.id).status.is_final, "it is tried again")
    found = store.get(job.id)
    assert (found.status, found.error) == (Status.DONE, None)
    assert found.attempt >= 2, "each try counts"
    assert (small_disk / "films" / f"{found.film}.mp4").stat().st_size > 20 * MIB
    database.close()


def _log(data: Path) -> str:
    log = data / "worker.log"
    return log.read_text() if log.exists() else ""


def _waits(store: JobStore, job_id: str) -> bool:
    job = store.get(job_id)
    return job.attempt > 0 and job.status is Status.IN_QUEUE


def test_one_that_never_fits_fails_and_says_why(small_disk: Path) -> None:
    database = open_database(small_disk / "vix.db")
    store = JobStore(database)
    with worker(small_disk, least_bytes=2 * MIB, pause_s=0, sweep_s=0.1):
        large, small = submit(store, 0.01, bytes=DISK_BYTES), submit(store, 0.01)
        eventually(lambda: store.get(small.id).status is Status.DONE, "the one after it is made")
    found = store.get(large.id)
    assert found.error
    assert (found.status, found.error.code, found.attempt) == (Status.FAILED, "disk_full", 3)
    assert [path.name for path in (small_disk / "films").iterdir()] == [f"{store.get(small.id).film}.mp4"]
    assert list((small_disk / "work").iterdir()) == []
    database.close()


def test_a_film_without_room_lets_smaller_ones_pass_and_is_made_once_it_has_some(small_disk: Path) -> None:
    database = open_database(small_disk / "vix.db")
    store = JobStore(database)
    with worker(small_disk, least_bytes=MIB, sweep_s=0.1):
        eventually(lambda: (small_disk / "ballast").exists(), "the reserve is made")
        hog = fill(small_disk, 10 * MIB)
        never, large, small = (
            store.submit(replace(timed_job(0.01), film_s=film_s)).job for film_s in (2 * DISK_BYTES / MIB, 30, 0)
        )
        eventually(lambda: store.get(small.id).status is Status.DONE, "the small one is made")
        failed = store.get(never.id)
        assert failed.error
        assert (failed.status, failed.error.code) == (Status.FAILED, "no_space")
        assert (store.get(large.id).status, store.get(large.id).attempt) == (Status.IN_QUEUE, 0)
        hog.unlink()
        eventually(lambda: store.get(large.id).status is Status.DONE, "so is the large one")
    database.close()


def test_films_go_only_from_the_disk_that_is_short(small_disk: Path, tmp_path: Path) -> None:
    asked: list[int] = []
    fill(small_disk, 2 * MIB)
    for work, films in ((small_disk, tmp_path), (tmp_path, small_disk)):
        space = Space(work, films, least_bytes=10 * MIB, make_room=asked.append)
        assert space.choose([0]) is None
    (wanted,) = asked
    assert 8 * MIB <= wanted < 9 * MIB, "only where the films are on it"


def test_jobs_wait_while_there_is_too_little_room(tmp_path: Path, patient_store: JobStore) -> None:
    """Without a disk of its own: more is asked for than is free."""
    usage = shutil.disk_usage(tmp_path)
    with worker(tmp_path, least_bytes=usage.free + usage.used // 2, sweep_s=0.1) as process:
        job = submit(patient_store, 0.01)
        eventually(lambda: "A job waits for room" in _log(tmp_path), "it says so")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    found = patient_store.get(job.id)
    assert (found.status, found.attempt) == (Status.IN_QUEUE, 0)
    with worker(tmp_path, least_bytes=0):
        eventually(lambda: patient_store.get(job.id).status is Status.DONE, "it is made")


def test_the_end_of_a_job_is_written_with_the_reserve(small_disk: Path) -> None:
    """The disk is full to the last byte while the film is made."""
    database = open_database(small_disk / "vix.db")
    store = JobStore(database)
    job = submit(store, 2)
    with worker(small_disk, least_bytes=0, sweep_s=0.1):
        eventually(lambda: store.get(job.id).stage == "render", "the film is being made")
        assert (small_disk / "ballast").stat().st_size == BALLAST_BYTES
        hog = fill(small_disk, 0)
        eventually(lambda: store.get(job.id).status.is_final, "its end is written down")
        assert not (small_disk / "ballast").exists()
        assert store.get(job.id).status is Status.DONE
        hog.unlink()
        eventually(lambda: (small_disk / "ballast").exists(), "the reserve is made again")
        following = submit(store, 0.01)
        eventually(lambda: store.get(following.id).status is Status.DONE, "the next film is made")
    database.close()
