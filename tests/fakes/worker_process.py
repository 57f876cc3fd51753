"""A whole worker process whose films are made by `film_maker`, or by the real pipeline where there is a library:
`worker_process DATA SETTINGS`, the settings as JSON of what differs from `DEFAULTS`.

A job's spec says how many `seconds` its film takes, how many `bytes` it has, with `"poison": true` that it kills the
worker, with `"killed": N` that in the first N attempts its maker is killed as if memory ran out, with
`"fails": true` that it cannot be made, and with `"silent": true` that progress is reported only once.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon import failpoints
from daemon.errors import AlreadyRunning, NotYet
from daemon.films import Films
from daemon.jobs import Job, Report
from daemon.limits import LEAST_FREE_BYTES
from daemon.prepared import PreparedFiles
from daemon.queue import Doorbell
from daemon.retention import EVERY_MIN, Retention
from daemon.scheduler import Scheduler
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from daemon.store.retention import RetentionStore
from daemon.store.workers import WorkerStore
from daemon.worker.lock import WorkerLock, seat
from daemon.worker.loop import Outcome, Place, Rules, RunJob, Worker
from daemon.worker.pulse import beats_through
from daemon.worker.space import Ballast, Space
from render.errors import Cancelled, FFmpegFailed, FFmpegOutOfMemory, MediaError, NoSpace
from render.sandbox import Child

MAKER = Path(__file__).with_name("film_maker.py")
DEFAULTS: dict[str, Any] = {
    "database": "",  # a path or URL; `vix.db` in the data folder
    "films": "",
    "library": "",
    "stop_s": 30.0,
    "sweep_s": 1.0,
    "max_attempts": 3,
    "lease_s": 30.0,
    "least_bytes": LEAST_FREE_BYTES,
    "pause_s": 60.0,
    "fail_at": "",
    "pulse_fd": None,
}


def film_maker(data: Path, work: Path, films: Films, lock: WorkerLock) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        if job.spec.get("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.spec.get("fails"):
            raise MediaError("the clip is broken")
        folder = work / job.stem
        folder.mkdir()
        film, seconds = folder / "film.mp4", float(job.spec["seconds"])
        size = str(job.spec.get("bytes", 0))
        command = [sys.executable, "-ISE", MAKER, film, str(seconds), size, data / "alone", data / "overlaps"]
        started, told = time.monotonic(), False
        child = Child([str(part) for part in command], pass_fds=(lock.fd,))
        (data / "maker.pid").write_text(str(child.pid))
        try:
            if job.attempt <= job.spec.get("killed", 0):
                child.kill()
            while child.poll() is None:
                percent = int(min(100 * (time.monotonic() - started) / seconds, 99))
                if not (told and job.spec.get("silent")):
                    told = report("render", percent)
                if not told or cancelled():
                    raise Cancelled("stopped")
                time.sleep(0.005)
            if child.returncode:
                raise _ended(child.returncode)
            maker = int(film.read_text().splitlines()[0])
            films.publish(film, job.stem)
        finally:
            child.end()
            for path in (film, folder / "film.mp4.part"):
                path.unlink(missing_ok=True)
            folder.rmdir()
        return Outcome({"attempt": job.attempt, "maker": maker, "render_s": seconds}, film=job.stem)

    return run_job


def _ended(code: int) -> Exception:
    if code == -signal.SIGKILL:
        return FFmpegOutOfMemory("killed")
    if code == errno.ENOSPC:
        return NoSpace("no room")
    return FFmpegFailed(f"ended with {code}", os.strerror(code))


def real_pipeline(library: Path, data: Path, films: Films, lock: WorkerLock) -> RunJob:
    # Here, because a process that only plays at making films has to start fast.
    from daemon.pipeline import Order, Tools, make
    from render.executor import Options
    from render.ffmpeg import FFmpeg
    from tests import media
    from tests.daemon.material import sources

    ffmpeg, prepared = FFmpeg(media.FFMPEG, pass_fds=(lock.fd,)), PreparedFiles(data / "prepared")
    tools = Tools(ffmpeg, lambda watched: sources(library, watched), Options(), films, data / "work", prepared)

    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        film = make(Order(job.stem, job.kind, job.spec, job.seed, job.id), tools, report, cancelled)
        return Outcome(film.result, film.warnings, job.stem)

    return run_job


def main(data: Path, told: dict[str, Any]) -> None:
    settings = DEFAULTS | told
    logging.basicConfig(filename=data / "worker.log", level=logging.INFO)
    failpoints.arm(settings["fail_at"])
    films, work = Films(Path(settings["films"] or data / "films")), data / "work"
    with WorkerLock(data / "worker.lock") as lock:
        database = open_database(settings["database"] or data / "vix.db")
        library = Path(settings["library"]) if settings["library"] else None
        run_job = real_pipeline(library, data, films, lock) if library else film_maker(data, work, films, lock)
        retention = Retention(
            RetentionStore(database),
            films,
            PreparedFiles(data / "prepared"),
            keep_films=timedelta(days=7),
            keep_jobs=timedelta(days=90),
        )
        space = Space(
            *(data, films.folder),
            least_bytes=settings["least_bytes"],
            make_room=retention.make_room,
            pause_s=settings["pause_s"],
        )
        place = Place(seat(data), lock, work, films, space, Ballast(data / "ballast"))
        rules = Rules(settings["stop_s"], settings["sweep_s"], settings["max_attempts"], settings["lease_s"])
        doorbell = Doorbell(data / "queue.db")
        beside = [Scheduler({"retention": (EVERY_MIN, retention.prune)})]
        pulse = beats_through(settings["pulse_fd"]) if settings["pulse_fd"] is not None else lambda: None
        store, workers = JobStore(database), WorkerStore(database)
        Worker(store, workers, doorbell, run_job, place, rules, beside=beside, pulse=pulse).run()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except (AlreadyRunning, NotYet) as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(exc.exit_code)
