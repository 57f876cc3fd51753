"""The loop that makes films: claim, run, write down what came of it. Knows neither what a film is nor how it is made.

One worker a data folder, one film at a time, on the main thread: FFmpeg dies with the thread that has started it.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from daemon.errors import DatabaseBusy, DiskFull, StoreError
from daemon.heartbeat import HEARTBEAT_FILE, Heartbeat
from daemon.jobs import Claim, Failure, Job, Report
from daemon.lock import WorkerLock
from daemon.queue import Doorbell
from daemon.signals import on_stop
from daemon.store.jobs import JobStore
from daemon.store.tables import utc_now
from render.errors import RenderError

_REPORT_EVERY_S = 0.5
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job that went well: its result as JSON, and sentences about what was not quite as asked for."""

    result: dict[str, Any]
    warnings: tuple[str, ...] = ()


RunJob = Callable[[Job, Report, Callable[[], bool]], Outcome]
"""Makes one film: the job, `report`, `cancelled() -> stop now?`."""


@dataclass(slots=True)
class _Stop:
    """Whether, and until when at the latest, to end."""

    grace_s: float
    asked: bool = False
    until: float = 0.0
    _logged: bool = False

    def ask(self) -> None:
        """The first time leaves the running film its grace, the second none."""
        self.until = time.monotonic() + (0.0 if self.asked else self.grace_s)
        self.asked = True

    @property
    def now(self) -> bool:
        return self.asked and time.monotonic() >= self.until

    def log(self) -> None:
        """Say once that the running film holds up the end; a signal handler, which `ask` is called by, must not."""
        if self.asked and not self._logged:
            self._logged = True
            left_s = max(0.0, self.until - time.monotonic())
            _log.info("The worker stops after this film.", extra={"action": "stopping", "within_s": round(left_s, 1)})


class Worker:
    """Makes the films of one data folder until a signal asks it to stop.

    `lock` is held by the caller, who lets FFmpeg inherit it. The first signal gives the running film `stop_s` seconds
    to finish, after which it is put back; any further one puts it back at once. `about` goes into the heartbeat file
    in `data`. What unfinished attempts have left in `work` and `films` is removed at the start.
    """

    def __init__(
        self,
        store: JobStore,
        doorbell: Doorbell,
        run_job: RunJob,
        *,
        lock: WorkerLock,
        data: Path,
        work: Path,
        films: Path,
        stop_s: float = 30.0,
        sweep_s: float = 1.0,
        max_attempts: int = 3,
        about: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._store = store
        self._doorbell = doorbell
        self._run_job = run_job
        self._lock = lock
        self._work = work
        self._films = films
        self._sweep_s = sweep_s
        self._max_attempts = max_attempts
        self._stop = _Stop(stop_s)
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put() may be called by a signal handler, Event.set() not
        self._heartbeat = Heartbeat(data / HEARTBEAT_FILE, about or {}, clock)

    def run(self) -> None:
        """Put right what a dead worker has left, then make films until asked to stop.

        Raises:
            DatabaseBroken: the database cannot be used any more.
        """
        if not self._lock.held:
            raise ValueError("only who holds the worker's lock may touch the jobs of a dead worker")
        with on_stop(self.stop), self._heartbeat, self._doorbell.listen(self._rung):
            self._clear_leftovers()
            self._reconcile()
            _log.info("The worker is ready.", extra={"action": "worker_ready", "owner": self.owner})
            while not self._stop.asked:
                if not self.run_once():
                    self._pause()
        _log.info("The worker has stopped.", extra={"action": "worker_stopped", "owner": self.owner})

    def run_once(self) -> bool:
        """Make the film that is next; False where none waits."""
        try:
            job = self._store.claim(self.owner)
        except (DatabaseBusy, DiskFull) as exc:
            _log.warning("No job could be claimed now.", extra={"action": "claim_failed", "reason": str(exc)})
            return False
        if job is None:
            return False
        _log.info("A job starts.", extra={"action": "job_start", "job": job.id, "attempt": job.attempt})
        self._heartbeat.tell(job.id)
        try:
            mine = self._write_down(job, self._attempt(job))
        finally:
            self._heartbeat.tell(None)
        if mine:
            _log.info("A job has ended here.", extra={"action": "job_end", "job": job.id})
        else:
            _log.warning("The job was taken from this worker.", extra={"action": "job_lost", "job": job.id})
        return True

    def stop(self) -> None:
        """Ask to end, as a signal does."""
        self._stop.ask()
        self._bell.put(None)

    def _attempt(self, job: Job) -> Callable[[], bool]:
        """Run a job; what is returned writes down what came of it."""
        report = _Reporter(self._store, job.claim)

        def cancelled() -> bool:
            self._stop.log()
            return report.lost or self._stop.now

        try:
            outcome = self._run_job(job, report, cancelled)
        except Exception as exc:
            # Whoever stops the worker may have stopped FFmpeg, too, as systemd does with a whole group.
            if self._stop.asked and not getattr(exc, "permanent", False):
                _log.info("A job is put back.", extra={"action": "job_put_back", "job": job.id})
                return partial(self._store.put_back, job.claim)
            return partial(self._store.fail, job.claim, _explain(exc, job))
        return partial(self._store.finish, job.claim, outcome.result, outcome.warnings)

    def _write_down(self, job: Job, write: Callable[[], bool]) -> bool:
        try:
            return self._insist(write)
        except StoreError:
            raise
        except Exception as exc:  # a result that cannot be stored
            return self._insist(partial(self._store.fail, job.claim, _explain(exc, job)))

    def _insist(self, write: Callable[[], _T]) -> _T:
        """Write although others hold the database or fill the disk: there is nothing better to do meanwhile.

        Raises:
            StoreError: it cannot be written at all, or there is no time left; the next start finds an orphan.
        """
        while True:
            try:
                return write()
            except (DatabaseBusy, DiskFull) as exc:
                if self._stop.now:
                    raise
                _log.warning("A write has to wait.", extra={"action": "write_waits", "reason": str(exc)})
                time.sleep(self._sweep_s)

    def _reconcile(self) -> None:
        found = self._insist(partial(self._store.reconcile, self._max_attempts))
        for job_id in found.put_back:
            _log.warning("A job of a dead worker is put back.", extra={"action": "orphan_put_back", "job": job_id})
        for job_id in found.failed:
            _log.error("A job kills its worker and is given up.", extra={"action": "orphan_failed", "job": job_id})

    def _clear_leftovers(self) -> None:
        """Remove what unfinished attempts have left behind."""
        self._work.mkdir(exist_ok=True)
        for leftover in (*self._work.iterdir(), *self._films.glob("*.part")):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _rung(self, job_id: str) -> None:
        self._bell.put(None)

    def _pause(self) -> None:
        """Wait for the bell, or for the time when the table is looked at anyway. One look answers all rings so far."""
        try:
            self._bell.get(timeout=self._sweep_s)
            while True:
                self._bell.get_nowait()
        except Empty:
            return


@dataclass(slots=True)
class _Reporter:
    """Writes the progress of one attempt, a new stage at once and else twice a second at most."""

    store: JobStore
    claim: Claim
    lost: bool = False
    _told: tuple[str, int] = field(default=("", -1), init=False)
    _not_before: float = field(default=0.0, init=False)

    def __call__(self, stage: str, progress: int) -> bool:
        """Say how far the job is; False when it belongs to somebody else by now."""
        told = (stage, progress)
        if told == self._told or (stage == self._told[0] and time.monotonic() < self._not_before):
            return not self.lost
        try:
            self.lost = not self.store.report(self.claim, stage=stage, progress=progress)
        except (DatabaseBusy, DiskFull) as exc:
            _log.warning(
                "Progress could not be written.",
                extra={"action": "report_failed", "job": self.claim.job_id, "reason": str(exc)},
            )
        self._told = told
        self._not_before = time.monotonic() + _REPORT_EVERY_S
        return not self.lost


def _explain(exc: Exception, job: Job) -> Failure:
    """Turn an error into what the job's owner is told; the log gets all of it."""
    if tail := getattr(exc, "tail", ""):
        exc.add_note(f"FFmpeg's last lines:\n{tail}")
    _log.error("A job failed.", exc_info=exc, extra={"action": "job_failed", "job": job.id, "attempt": job.attempt})
    if isinstance(exc, RenderError):
        return Failure(exc.code, str(exc), exc.permanent)
    if isinstance(exc, DiskFull) or (isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)):
        return Failure(DiskFull.code, DiskFull.message, permanent=False)
    return Failure("internal", "Something went wrong here that is not the request's fault; the log says what.", False)
