"""Whether a worker process of this data folder still beats, for whoever may kill it. Asks the table, not the kernel."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from daemon.errors import StoreError
from daemon.store.workers import WorkerSeen
from daemon.worker.leases import Leases
from daemon.worker.orphans import LOOKS_PER_LEASE

_log = logging.getLogger(__name__)


class Pulse:
    """Watches the workers of one seat. `workers` reads the table, `lease_s` is how long one may be silent."""

    def __init__(
        self,
        workers: Callable[[], Sequence[WorkerSeen]],
        seat: str,
        lease_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._seat = seat
        self._every_s = lease_s / LOOKS_PER_LEASE
        self._leases = Leases(lease_s)
        self._monotonic = monotonic
        self._next_look = 0.0
        self._silent: frozenset[str] = frozenset()

    def is_gone(self, pid: int) -> bool:
        """Whether the worker in this process has not beaten for a lease: it is stopped or hangs. One that has never
        beaten is still starting, and where the table cannot be read nothing is known."""
        self._look()
        return any(owner.startswith(f"{self._seat}.{pid}-") for owner in self._silent)

    def _look(self) -> None:
        now = self._monotonic()
        if now < self._next_look:
            return
        self._next_look = now + self._every_s
        try:
            beats = {seen.id: seen.beats for seen in self._workers() if seen.id.startswith(f"{self._seat}.")}
        except StoreError as exc:
            _log.warning("The workers' table cannot be read.", extra={"action": "pulse", "reason": exc})
            return
        self._silent = self._leases.look(beats, beats, now)
