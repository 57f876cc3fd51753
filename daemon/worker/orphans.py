"""Puts back the jobs of workers that are dead: of the own seat at the start, of others once they have been silent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from daemon.store.jobs import JobStore, Reconciled
from daemon.store.workers import WorkerStore
from daemon.worker.leases import Leases

LOOKS_PER_LEASE = 6
_log = logging.getLogger(__name__)


class Orphans:
    """Jobs whose owner is dead. `mine` is the owner that looks, whose jobs are none."""

    def __init__(
        self,
        jobs: JobStore,
        workers: WorkerStore,
        mine: str,
        *,
        lease_s: float,
        max_attempts: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._mine = mine
        self._max_attempts = max_attempts
        self._leases = Leases(lease_s)
        self._my_beats: int | None = None
        self._monotonic = monotonic
        self.every_s = lease_s / LOOKS_PER_LEASE

    def of_seat(self, seat: str) -> None:
        """Put back everything that the own seat has in work, and forget its workers; only for who holds its lock,
        before it joins them and before the first claim.

        Raises:
            StoreError: not all of it was done, which may be done again.
        """
        _tell(self._jobs.release_seat(seat, self._max_attempts))
        self._workers.leave_all(seat)

    def look(self) -> None:
        """Put back the jobs of workers that have been silent for a lease in which this one has beaten: where nobody can
        write, as on a full disk, all are silent and none is dead.

        Raises:
            StoreError: nothing was put back.
        """
        owners = self._jobs.owners_at_work() - {self._mine}
        beats = {worker.id: worker.beats for worker in self._workers.all()} if owners else {}
        before, self._my_beats = self._my_beats, beats.get(self._mine)
        could_beat = self._my_beats != before
        if dead := self._leases.look(owners, beats, self._monotonic(), could_beat=could_beat):
            _tell(self._jobs.release(dead, self._max_attempts))


def _tell(found: Reconciled) -> None:
    for job_id in found.put_back:
        _log.warning("A job of a dead worker is put back.", extra={"action": "orphan_put_back", "job": job_id})
    for job_id in found.failed:
        _log.error("A job kills its worker and is given up.", extra={"action": "orphan_failed", "job": job_id})
