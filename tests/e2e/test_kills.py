"""What happens to films when processes end: killed, asked to stop, started twice. FFmpeg is real."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from render.ffmpeg import FFmpeg
from render.probe import probe
from tests.e2e.service import OUTPUT, SMALL, Service, eventually

KILLS = 20
JOBS = 11  # each may be killed twice; the third attempt at a film is its last

LAST_TRY = "select 1 from job where status = 'rendering' and attempt >= 3"

UNFINISHED = "select 1 from job where status in ('in_queue', 'rendering')"


@contextmanager
def most_encoders(service: Service) -> Iterator[list[int]]:
    """The largest number of FFmpegs that were seen to run at the same moment, while the block runs."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], len(service.encoders()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def long_film(**more: Any) -> dict[str, Any]:
    """A film that takes some seconds."""
    return {"video": {"duration": 12, "style": "lone"}, "output": {**OUTPUT, "quality": "high"}, **more}


def until_it_renders(service: Service, job_id: str) -> None:
    eventually(lambda: service.status(job_id)["progress"] > 0, "it renders")
    eventually(service.encoders, "FFmpeg runs")


def test_no_film_is_lost_by_twenty_kills_of_the_worker(halted: Service, ffmpeg: FFmpeg) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    halted.start_api()
    output = {**SMALL, "width": 360, "height": 640}
    jobs = [halted.submit(video={"duration": 8}, output=output, seed=n)["job_id"] for n in range(JOBS)]
    in_the_middle = 0
    with most_encoders(halted) as most:
        for number in range(KILLS):
            if number % 5 == 4:
                halted.start("worker")  # dies while it starts
                time.sleep(rng.uniform(0, 0.4))
            elif number % 2:
                halted.start_worker()
                time.sleep(rng.uniform(0, 0.5))
            else:
                halted.start_worker()
                eventually(lambda: halted.encoders() or not halted.rows(UNFINISHED), "a film is half made")
            eventually(lambda: not halted.rows(LAST_TRY), "a third attempt is left to end")
            in_the_middle += bool(halted.encoders())
            halted.kill("worker")
        halted.start_worker()
        ended = [halted.ended(job_id) for job_id in jobs]
    assert [job["status"] for job in ended] == ["done"] * JOBS
    assert in_the_middle >= 5, "some kills must find a film half made"
    for job in ended:
        video = probe(halted.film(job["job_id"]), ffmpeg).video
        assert video is not None
        assert (video.width, video.height, video.frames) == (360, 640, 240)
    assert halted.rows("pragma integrity_check") == [("ok",)]
    assert sum(attempts for (attempts,) in halted.rows("select attempt from job")) > JOBS
    assert most == [1], "two FFmpegs at once"
    assert halted.stop("worker") == 0
    assert halted.encoders() == []
    assert list((halted.data / "work").iterdir()) == []
    names = {path.name for path in (halted.data / "films").iterdir()}
    stems = {stem for (stem,) in halted.rows("select film from job")}
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("mp4", "jpg")}


def test_ffmpeg_dies_with_its_worker(halted: Service) -> None:
    halted.start_api()
    halted.start_worker()
    # Two minutes of film in high quality: it cannot have come to its end by itself.
    job_id = halted.submit({"video": {"duration": 120}, "output": {**OUTPUT, "quality": "high"}})["job_id"]
    until_it_renders(halted, job_id)
    halted.kill("worker")
    eventually(lambda: not halted.encoders(), "FFmpeg dies with the worker", patience_s=2)
    assert halted.status(job_id)["progress"] < 90


def test_a_worker_that_is_asked_to_stop_finishes_its_film(halted: Service) -> None:
    halted.start_api()
    halted.start_worker()
    first, second = (halted.submit(long_film(seed=number))["job_id"] for number in range(2))
    until_it_renders(halted, first)
    assert halted.stop("worker") == 0
    assert halted.status(first)["status"] == "done"
    assert halted.status(second)["status"] == "in_queue"
    assert halted.encoders() == []


@pytest.mark.parametrize("hurry", ["no time to stop", "second signal"])
def test_a_film_that_cannot_be_finished_in_time_is_put_back(halted: Service, hurry: str) -> None:
    halted.settings = {**halted.settings, "STOP_S": "0" if hurry == "no time to stop" else "600"}
    halted.start_api()
    worker = halted.start_worker()
    job_id = halted.submit(long_film())["job_id"]
    until_it_renders(halted, job_id)
    if hurry == "second signal":
        worker.terminate()
        eventually(lambda: halted.status(job_id)["progress"] > 0, "it goes on")
    assert halted.stop("worker") == 0
    job = halted.status(job_id)
    assert (job["status"], job["progress"], job["queue_position"]) == ("in_queue", 0, 1)
    assert halted.encoders() == []
    assert list((halted.data / "films").iterdir()) == []
    halted.start_worker()
    assert halted.ended(job_id)["status"] == "done"


def test_a_job_outlives_the_api_that_took_it(halted: Service) -> None:
    halted.start_api()
    job_id = halted.submit()["job_id"]
    halted.kill("api")
    halted.start_worker()
    halted.start_api()
    assert halted.ended(job_id)["status"] == "done"


def test_a_job_asked_for_while_no_worker_runs_waits_and_health_says_so(halted: Service) -> None:
    halted.start_api()
    job_id = halted.submit()["job_id"]
    health = halted.request("GET", "/health")
    assert (health.status_code, health.json()["checks"]["worker"]["ok"]) == (503, False)
    assert halted.status(job_id)["queue_position"] == 1
    halted.start_worker()
    assert halted.ended(job_id)["status"] == "done"


def test_a_second_worker_says_that_there_is_one(halted: Service) -> None:
    first = halted.start_worker()
    second = halted.command("worker")
    assert second.returncode == 3
    assert f"process {first.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert first.poll() is None


def test_losing_the_queue_file_loses_no_job(halted: Service) -> None:
    halted.start_api()
    job_id = halted.submit()["job_id"]
    for path in list(halted.data.glob("queue.db*")):
        path.unlink()  # cut short instead, the part that SQLite maps into memory would take the API down (SIGBUS)
        path.write_bytes(b"ruined")
    halted.start_worker()
    assert halted.ended(job_id)["status"] == "done"
    assert halted.ended(halted.submit()["job_id"])["status"] == "done"
