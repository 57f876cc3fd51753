"""Tells again and again that this worker lives and what it does: as a row of the workers table, and to its parent.

It stops telling once the thread that makes the films has stood still for long: beats that come from a thread of their
own would otherwise go on for ever while nothing is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from daemon.errors import StoreError
from daemon.store.workers import WorkerStore
from daemon.worker.ticker import Ticker

EVERY_S = 5.0
# Longer than anything takes that is done between two calls of `moves`, such as a film's copy to a slow disk.
STUCK_S = 600.0
_log = logging.getLogger(__name__)


class Heartbeat:
    """While entered, joins the table of workers and beats there every few seconds. It never raises: a full disk or a
    busy database must not end the worker, whose silence shows.

    `about` is asked once, at the first beat. `pulse` is called as often, on a thread of its own that waits for nothing.
    After `stuck_s` seconds without a call of `moves`, `tell` or the entry there are no beats.
    """

    def __init__(
        self,
        store: WorkerStore,
        worker_id: str,
        about: Callable[[], Mapping[str, Any]],
        every_s: float = EVERY_S,
        *,
        pulse: Callable[[], object] = lambda: None,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._store = store
        self._id = worker_id
        self._about = about
        self._told: dict[str, Any] | None = None
        self._job_id: str | None = None
        self._joined = False
        self._pulse = pulse
        self._stuck_s = stuck_s
        self._moved_at = time.monotonic()
        self._ticker = Ticker("heartbeat", every_s, self._beat)
        self._pulse_ticker = Ticker("pulse", every_s, self._beat_pulse, at_once=True)

    def __enter__(self) -> Heartbeat:
        self.moves()
        self._pulse_ticker.__enter__()
        self._beat()
        self._ticker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.__exit__(kind, exc, trace)
        self._pulse_ticker.__exit__(kind, exc, trace)
        try:
            self._store.leave(self._id)
        except StoreError as problem:
            _log.warning("The worker's row stays behind.", extra={"action": "heartbeat", "reason": problem})

    def tell(self, job_id: str | None) -> None:
        """Say which job is being made now."""
        self._job_id = job_id
        self.moves()
        self._beat()

    def moves(self) -> None:
        """Say that the thread that makes the films goes on. Only for that thread; it costs nothing."""
        self._moved_at = time.monotonic()

    def _is_stuck(self) -> bool:
        return time.monotonic() - self._moved_at > self._stuck_s

    def _beat_pulse(self) -> None:
        if not self._is_stuck():
            self._pulse()

    def _beat(self) -> None:
        if self._is_stuck():
            _log.error("The worker stands still and stops beating.", extra={"action": "heartbeat_stuck"})
            return
        if self._told is None:
            self._told = dict(self._about())
        try:
            if not self._joined:
                self._store.join(self._id, self._told)
                self._joined = True
            self._store.beat(self._id, self._job_id)
        except StoreError as exc:
            _log.warning("The heartbeat could not be written.", extra={"action": "heartbeat", "reason": exc})
