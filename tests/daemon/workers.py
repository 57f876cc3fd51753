"""Starts, watches and kills real worker processes."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from daemon.jobs import Job, NewJob
from daemon.store.jobs import JobStore

PATIENCE_S = 60.0


def eventually(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so; the time is generous, as it only bounds a failure."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.005)


@contextmanager
def worker(data: Path, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A worker process, killed at the end if it still runs. `settings` as `tests.fakes.worker_process` knows them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.worker_process", data, json.dumps(settings)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[settings["pulse_fd"]] if "pulse_fd" in settings else [],
    )
    try:
        yield process
    finally:
        process.kill()
        process.send_signal(signal.SIGCONT)
        process.wait(PATIENCE_S)
        assert process.stderr
        process.stderr.close()


def timed_job(seconds: float, **spec: Any) -> NewJob:
    return NewJob("template", {"seconds": seconds, **spec}, 1, "key1", film_s=seconds)


def submit(store: JobStore, seconds: float, **spec: Any) -> Job:
    return store.submit(timed_job(seconds, **spec)).job


def is_rendering(store: JobStore, job: Job) -> bool:
    """Whether the child that makes the film has started."""
    return store.get(job.id).stage == "render"


def count(path: Path, status: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("select count(*) from job where status = ?", (status,)).fetchone()
    return int(number)


def is_alive(pid: int) -> bool:
    return state(pid) not in "ZX"


def state(pid: int) -> str:
    """The kernel's letter for what a process does, `X` where there is none any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return "X"


def is_ready(data: Path) -> bool:
    """Whether a worker takes jobs, or has at any time."""
    log = data / "worker.log"
    return log.exists() and "The worker is ready" in log.read_text()


def has_heard(data: Path) -> bool:
    """Whether the worker knows that it shall stop, and goes on with its film."""
    return "The worker stops after this film" in (data / "worker.log").read_text()
