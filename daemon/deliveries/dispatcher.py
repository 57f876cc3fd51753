"""The threads that publish, beside the films that a worker makes. Knows when, not what or whereto.

One thread looks what is due and sleeps until something is; each delivery has a thread of its own while somebody is at
it, a few at a time. Nothing that goes wrong ends the dispatcher: what was lost by it is found in the outbox.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import Empty, SimpleQueue
from types import TracebackType

from daemon.deliveries.dispatch import Dispatch
from daemon.deliveries.life import Delivery
from daemon.errors import StoreError

_LOOK_EVERY_S = 1.0
_TIDY_EVERY_S = 60.0
_log = logging.getLogger(__name__)


class Dispatcher:
    """Publishes what is due until the block ends, at most `at_once` at a time.

    Only for who holds the lock of `seat`: what a dead process of it was at is taken up again. At the end, what is under
    way has `grace_s` seconds; what is not through by then is taken up at the next start.
    """

    def __init__(self, dispatch: Dispatch, seat: str, *, at_once: int = 2, grace_s: float = 4.0) -> None:
        self._dispatch = dispatch
        self._seat = seat
        self._at_once = at_once
        self._grace_s = grace_s
        self._free = threading.Semaphore(at_once)
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put() may be called by a signal handler, Event.set() not
        self._stopping = False
        self._tidy_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def __enter__(self) -> Dispatcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self.ring()
        until_s = time.monotonic() + self._grace_s
        self._thread.join(self._grace_s)
        for _ in range(self._at_once):
            self._free.acquire(timeout=max(0.0, until_s - time.monotonic()))

    def ring(self) -> None:
        """Say that something may be due."""
        self._bell.put(None)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._tidy()
                delivery = self._claim()
                if delivery is None:
                    self._sleep()
                else:
                    self._start(delivery)
            except StoreError as exc:
                told = {"action": "delivery_claim_failed", "reason": str(exc)}
                _log.warning("No delivery could be taken now.", extra=told)
                time.sleep(_LOOK_EVERY_S)
            except Exception as exc:  # whatever it is, the next look may find it gone
                told = {"action": "delivery_claim_failed"}
                _log.error("No delivery could be taken now.", exc_info=exc, extra=told)
                time.sleep(_LOOK_EVERY_S)

    def _tidy(self) -> None:
        if self._tidy_at is None:
            if found := self._dispatch.store.release_seat(self._seat):
                told = {"action": "deliveries_back", "n": found}
                _log.warning("Deliveries of a dead worker are taken up again.", extra=told)
        elif time.monotonic() >= self._tidy_at:
            self._dispatch.store.tidy()
        else:
            return
        self._tidy_at = time.monotonic() + _TIDY_EVERY_S

    def _claim(self) -> Delivery | None:
        self._free.acquire()
        delivery = None
        try:
            if not self._stopping:
                delivery = self._dispatch.claim()
        finally:
            if delivery is None:
                self._free.release()
        return delivery

    def _start(self, delivery: Delivery) -> None:
        try:
            threading.Thread(target=self._carry, args=(delivery,), name="delivery", daemon=True).start()
        except (RuntimeError, MemoryError):  # no room for another thread: then all others wait for this one
            self._carry(delivery)

    def _carry(self, delivery: Delivery) -> None:
        try:
            self._dispatch.step(delivery)
        except Exception as exc:
            told = {"action": "delivery_write_failed", "delivery": delivery.id, "job": delivery.job_id}
            _log.error("What came of a delivery could not be written; it is found again.", exc_info=exc, extra=told)
        finally:
            self._free.release()
            self.ring()  # its account is free

    def _sleep(self) -> None:
        """Wait for the bell, or a moment. One look answers all rings so far."""
        try:
            self._bell.get(timeout=_LOOK_EVERY_S)
            while True:
                self._bell.get_nowait()
        except Empty:
            return
