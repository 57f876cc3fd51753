"""A job that is cancelled while it is made: its FFmpeg is gone, its files are gone, and the next one is made. And what
happens where FFmpeg is killed for want of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs import Job, NewJob, Status
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests import media
from tests.daemon.material import make_library
from tests.daemon.workers import eventually, is_alive, is_rendering, submit, worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    database = open_database(tmp_path / "vix.db")
    yield JobStore(database)
    database.close()


def encoders(folder: Path) -> list[int]:
    """Process ids of everything but workers that names this folder in its arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in arguments and Path(media.FFMPEG).name.encode() in arguments:
                found.append(int(entry.name))
    return found


def film(store: JobStore, seconds: float, quality: str) -> Job:
    output = {"width": 540, "height": 960, "quality": quality}
    spec: dict[str, Any] = {"video": {"duration": seconds, "style": "rain"}, "output": output}
    return store.submit(NewJob("template", spec, 7, "key1", film_s=seconds)).job


def test_a_real_films_ffmpeg_is_gone_and_the_next_one_is_made(tmp_path: Path, store: JobStore) -> None:
    library = make_library(tmp_path / "library")
    long = film(store, 120, "high")
    with worker(tmp_path, library=str(library)):
        eventually(lambda: store.get(long.id).progress > 0, "it renders")
        eventually(lambda: encoders(tmp_path), "FFmpeg runs")
        assert store.cancel(long.id).status is Status.CANCELLED
        eventually(lambda: not encoders(tmp_path / "work" / f"{long.id}.1"), "FFmpeg is gone")
        following = film(store, 1, "draft")
        eventually(lambda: store.get(following.id).status is Status.DONE, "the next one is made")
    found = store.get(long.id)
    assert (found.status, found.film, found.error) == (Status.CANCELLED, None, None)
    assert found.progress < 90, "it cannot have come to its end by itself"
    stem = store.get(following.id).film
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == [f"{stem}.jpg", f"{stem}.mp4"]
    assert list((tmp_path / "work").iterdir()) == []


def test_a_job_that_says_nothing_is_stopped_too(tmp_path: Path, store: JobStore) -> None:
    """Nothing is reported in the middle of a long stage; the table is asked all the same."""
    job = submit(store, 600, silent=True)
    with worker(tmp_path):
        eventually(lambda: is_rendering(store, job), "the film is being made")
        maker = int((tmp_path / "maker.pid").read_text())
        store.cancel(job.id)
        eventually(lambda: not is_alive(maker), "its maker is gone")
        eventually(lambda: not list((tmp_path / "work").iterdir()), "and its files")


@pytest.mark.parametrize(("killed", "status", "attempts"), [(1, Status.DONE, 2), (9, Status.FAILED, 3)])
def test_want_of_memory_is_tried_again_and_harms_no_other(
    tmp_path: Path, store: JobStore, killed: int, status: Status, attempts: int
) -> None:
    job, other = submit(store, 0.05, killed=killed), submit(store, 0.01)
    with worker(tmp_path) as process:
        eventually(lambda: store.get(job.id).status.is_final and store.get(other.id).status.is_final, "both end")
        assert process.poll() is None, "the worker lives"
    found = store.get(job.id)
    assert (found.status, found.attempt) == (status, attempts)
    assert (found.error.code if found.error else None) == ("out_of_memory" if status is Status.FAILED else None)
    assert store.get(other.id).status is Status.DONE
