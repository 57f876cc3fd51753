"""A whole worker process whose films are made by `film_maker`: `worker_process DATA STOP_S MAX_ATTEMPTS`.

A job's spec says how many `seconds` its film takes, and with `"poison": true` that it kills the worker.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon.errors import AlreadyRunning
from daemon.jobs import Job, Report
from daemon.lock import WorkerLock
from daemon.queue import Doorbell
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from daemon.worker import Outcome, RunJob, Worker
from render.errors import Cancelled, FFmpegFailed
from render.ffmpeg import die_with_parent

MAKER = Path(__file__).with_name("film_maker.py")


def film_maker(data: Path, lock: WorkerLock) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        if job.spec.get("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        film = data / "films" / f"{job.id}.mp4"
        seconds = float(job.spec["seconds"])
        command: list[str | Path] = [
            sys.executable,
            "-ISE",
            str(MAKER),
            film,
            str(seconds),
            data / "alone",
            data / "overlaps",
        ]
        started = time.monotonic()
        child = subprocess.Popen(
            command, pass_fds=(lock.fd,), start_new_session=True, preexec_fn=die_with_parent(os.getpid())
        )
        (data / "maker.pid").write_text(str(child.pid))
        while child.poll() is None:
            if not report("render", int(min(100 * (time.monotonic() - started) / seconds, 99))) or cancelled():
                child.kill()
                child.wait()
                raise Cancelled("stopped")
            time.sleep(0.005)
        if child.returncode:
            raise FFmpegFailed(f"ended with {child.returncode}")
        return Outcome({"attempt": job.attempt, "maker": int(film.read_text()), "render_s": seconds})

    return run_job


def main(data: Path, stop_s: float, max_attempts: int) -> None:
    logging.basicConfig(filename=data / "worker.log", level=logging.INFO)
    films, work = data / "films", data / "work"
    films.mkdir(exist_ok=True)
    try:
        with WorkerLock(data / "worker.lock") as lock:
            store = JobStore(open_database(data / "vix.db"))
            doorbell = Doorbell(data / "queue.db")
            run_job = film_maker(data, lock)
            boss = partial(Worker, store, doorbell, run_job, lock=lock, data=data, work=work, films=films)
            boss(stop_s=stop_s, max_attempts=max_attempts).run()
    except AlreadyRunning as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(exc.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
