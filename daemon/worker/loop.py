"""The loop that makes films: claim, run, write down what came of it. Knows neither what a film is nor how it is made.

One worker a data folder, one film at a time, on the main thread: FFmpeg dies with the thread that has started it.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from daemon import logs
from daemon.errors import DatabaseBusy, DiskFull, StoreError, UnknownJob, VixError
from daemon.films import Films
from daemon.jobs import Claim, Job, Report
from daemon.queue import Doorbell
from daemon.signals import on_stop
from daemon.store.jobs import JobStore
from daemon.store.workers import WorkerStore
from daemon.worker.heartbeat import EVERY_S, Heartbeat
from daemon.worker.lock import WorkerLock, new_owner
from daemon.worker.orphans import Orphans
from daemon.worker.space import Ballast, Space
from daemon.worker.ticker import Ticker
from daemon.worker.together import Together
from daemon.worker.verdict import explain, is_disk_full, is_worth_another_try, too_large
from daemon.worker.watch import watched

_REPORT_EVERY_S = 0.5
# So many waiting jobs are looked at for one whose film there is room for.
_LOOK_AHEAD = 16
BEATS_PER_LEASE = 6
# Less than the supervisor grants, of which the film's end needs some, too.
_LEAVE_S = 6.0
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job that went well: its result as JSON, sentences about what was not quite as asked for, and the
    stem of its files."""

    result: dict[str, Any]
    warnings: tuple[str, ...] = ()
    film: str | None = None


RunJob = Callable[[Job, Report, Callable[[], bool]], Outcome]
"""Makes one film: the job, `report`, `cancelled() -> stop now?`."""

Between = Callable[[Callable[[], bool]], object]
"""Does something while no film is made: `interrupted() -> is there something better to do?`."""


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


@dataclass(frozen=True, slots=True)
class Rules:
    """How the worker behaves: seconds that a running film is left when it shall stop, seconds between two looks at the
    table, tries at a job, seconds of silence after which another worker counts as dead."""

    stop_s: float = 30.0
    sweep_s: float = 1.0
    max_attempts: int = 3
    lease_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker works: its seat and the lock of that, which the caller holds and lets FFmpeg inherit, the folder
    of unfinished files, that of films, the room for both and the reserve."""

    seat: str
    lock: WorkerLock
    work: Path
    films: Films
    space: Space
    ballast: Ballast


class Worker:
    """Makes the films of one data folder until a signal asks it to stop.

    The first signal gives the running film `rules.stop_s` seconds to finish, after which it is put back; any further
    one puts it back at once. `about` is shown to whoever asks about workers. `between` is called whenever no film is
    being made; `beside` is entered before the first job is taken and left after the last has ended. `pulse` is called
    every few seconds while this goes on.
    """

    def __init__(
        self,
        store: JobStore,
        workers: WorkerStore,
        doorbell: Doorbell,
        run_job: RunJob,
        place: Place,
        rules: Rules = Rules(),
        *,
        about: Callable[[], Mapping[str, Any]] = dict,
        between: Between = lambda interrupted: None,
        beside: Sequence[AbstractContextManager[object]] = (),
        pulse: Callable[[], object] = lambda: None,
    ) -> None:
        self.owner = new_owner(place.seat)
        self._store = store
        self._doorbell = doorbell
        self._run_job = run_job
        self._place = place
        self._rules = rules
        self._between = between
        self._beside = beside
        self._stop = _Stop(rules.stop_s)
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put() may be called by a signal handler, Event.set() not
        self._because: VixError | None = None
        # Several beats a lease, since one may be late, and whoever looks may look at the wrong moment.
        beat_every_s = min(EVERY_S, rules.lease_s / BEATS_PER_LEASE)
        self._heartbeat = Heartbeat(
            workers, self.owner, lambda: {"pid": os.getpid(), **about()}, beat_every_s, pulse=pulse
        )
        self._orphans = Orphans(store, workers, self.owner, lease_s=rules.lease_s, max_attempts=rules.max_attempts)

    def run(self) -> None:
        """Put right what a dead worker has left, then make films until asked to stop.

        Raises:
            DatabaseBroken: the database cannot be used any more.
            VixError: what `stop` was given.
        """
        if not self._place.lock.held:
            raise ValueError("only who holds the worker's lock may touch the jobs of a dead worker")
        with on_stop(self.stop), Together(_LEAVE_S) as together:
            self._insist(partial(self._orphans.of_seat, self._place.seat))
            self._clear_leftovers()
            self._place.ballast.load()
            together.enter(self._heartbeat)
            together.enter(self._doorbell.listen(self._rung))
            together.enter(Ticker("orphans", self._orphans.every_s, self._orphans.look))
            for one in self._beside:
                together.enter(one)
            _log.info("The worker is ready.", extra={"action": "worker_ready", "owner": self.owner})
            while not self._stop.asked:
                self._heartbeat.moves()
                self._do_between()
                if not self.run_once():
                    self._pause()
        _log.info("The worker has stopped.", extra={"action": "worker_stopped", "owner": self.owner})
        if self._because:
            raise self._because

    def run_once(self) -> bool:
        """Make the film that is next; False where none waits, or none can be made now."""
        try:
            job = self._next()
        except (DatabaseBusy, DiskFull, OSError) as exc:
            _log.warning("No job could be claimed now.", extra={"action": "claim_failed", "reason": str(exc)})
            return False
        if job is None:
            return False
        with logs.about(job.id):
            _log.info("A job starts.", extra={"action": "job_start", "attempt": job.attempt})
            self._heartbeat.tell(job.id)
            try:
                mine = self._write_down(job, self._attempt(job))
            finally:
                self._heartbeat.tell(None)
            if mine:
                _log.info("A job has ended here.", extra={"action": "job_end"})
            else:
                self._let_go(job)
        return True

    def stop(self, because: VixError | None = None) -> None:
        """Ask to end, as a signal does; `run` raises `because`."""
        self._because = self._because or because
        self._stop.ask()
        self._bell.put(None)

    def _do_between(self) -> None:
        def interrupted() -> bool:
            self._heartbeat.moves()
            return self._stop.asked or bool(self._store.upcoming(1))

        try:
            self._between(interrupted)
        except Exception as exc:  # whatever it is, films are made all the same
            _log.error("What is done between films failed.", exc_info=exc, extra={"action": "between_failed"})

    def _next(self) -> Job | None:
        """Claim the first of the waiting jobs that there is room for; None where there is none."""
        while waiting := self._store.upcoming(_LOOK_AHEAD):
            self._place.films.folder.mkdir(parents=True, exist_ok=True)
            chosen = self._place.space.choose([work for _, work in waiting])
            if chosen is None:
                return None
            if job := self._store.claim(self.owner, waiting[chosen][0]):
                return job
        return None

    def _attempt(self, job: Job) -> Callable[[], bool]:
        """Run a job; what is returned writes down what came of it."""
        report = _Reporter(self._store, job.claim)
        with watched(job.claim, self._store.holds) as lost:

            def cancelled() -> bool:
                self._heartbeat.moves()
                self._stop.log()
                return bool(lost) or report.lost or self._stop.now

            try:
                if film := self._place.space.never_fits(job.work):
                    return partial(self._store.fail, job.claim, too_large(film))
                outcome = self._run_job(job, report, cancelled)
            except Exception as exc:
                if lost or report.lost:
                    return lambda: False
                return self._verdict(job, exc)
        return partial(self._store.finish, job.claim, outcome.result, outcome.warnings, outcome.film)

    def _verdict(self, job: Job, exc: Exception) -> Callable[[], bool]:
        """Decide what an error means for its job: put back as if nothing had been, tried again, or failed."""
        # Whoever stops the worker may have stopped FFmpeg, too, as systemd does with a whole group.
        # A file that it was probing then seems broken; a job that fails by itself does so again after the next start.
        if self._stop.asked:
            _log.info("A job is put back.", extra={"action": "job_put_back", "reason": type(exc).__name__})
            return partial(self._store.put_back, job.claim)
        if is_disk_full(exc):
            self._place.space.ran_out()
        failure = explain(exc)
        if is_worth_another_try(exc):
            return partial(self._store.try_again, job.claim, failure, self._rules.max_attempts)
        return partial(self._store.fail, job.claim, failure)

    def _write_down(self, job: Job, write: Callable[[], bool]) -> bool:
        try:
            return self._insist(write)
        except StoreError:
            raise
        except Exception as exc:  # a result that cannot be stored
            return self._insist(partial(self._store.fail, job.claim, explain(exc)))

    def _insist(self, write: Callable[[], _T]) -> _T:
        """Write although others hold the database or fill the disk: there is nothing better to do meanwhile.

        Raises:
            StoreError: it cannot be written at all, or there is no time left; the next start finds an orphan.
        """
        while True:
            self._heartbeat.moves()
            try:
                return write()
            except (DatabaseBusy, DiskFull) as exc:
                if isinstance(exc, DiskFull) and self._place.ballast.drop():
                    continue
                if self._stop.now:
                    raise
                _log.warning("A write has to wait.", extra={"action": "write_waits", "reason": str(exc)})
                time.sleep(self._rules.sweep_s)

    def _let_go(self, job: Job) -> None:
        """Remove what was made for a job that is another's by now, or was cancelled. Where the answer to the last write
        was lost, it was written all the same, and the film is the job's."""
        _log.warning("The job was taken from this worker.", extra={"action": "job_lost"})
        try:
            if self._store.get(job.id).film == job.stem:
                return
        except UnknownJob:
            pass
        except StoreError as exc:  # then it stays; the next pruning finds out whether anybody needs it
            _log.warning("Files may be left behind.", extra={"action": "job_lost", "reason": str(exc)})
            return
        self._place.films.remove(job.stem)

    def _clear_leftovers(self) -> None:
        """Remove what unfinished attempts have left behind."""
        work = self._place.work
        work.mkdir(exist_ok=True)
        for leftover in work.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _rung(self, job_id: str) -> None:
        self._bell.put(None)

    def _pause(self) -> None:
        """Wait for the bell, or for the time when the table is looked at anyway. One look answers all rings so far."""
        self._place.ballast.load()
        try:
            self._bell.get(timeout=self._rules.sweep_s)
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
        except StoreError as exc:
            _log.warning("Progress could not be written.", extra={"action": "report_failed", "reason": str(exc)})
        except Exception as exc:  # whatever it is, the film is made all the same
            _log.error("Progress could not be written.", exc_info=exc, extra={"action": "report_failed"})
        self._told = told
        self._not_before = time.monotonic() + _REPORT_EVERY_S
        return not self.lost
