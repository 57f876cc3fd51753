"""The threads that carry callbacks, beside the films that a worker makes. Knows when, not what or whereto.

One thread looks what is due and sleeps until something is; each try has a thread of its own while it lasts, a few at a
time. The outbox sees to it that a host has one try at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TypeVar

from daemon.deliveries.post import Post
from daemon.errors import StoreError
from daemon.store.callbacks import Callback, CallbackStore

_LOOK_EVERY_S = 1.0  # other processes put callbacks there, too, and ring no bell here
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Courier:
    """Carries the callbacks of `store` until the block ends, at most `at_once` at a time.

    Only for who holds the lock of `seat`: what a dead process of it was sending is sent again at once. At the end,
    tries under way have `grace_s` seconds; what is not through by then is sent again at the next start.
    """

    def __init__(self, store: CallbackStore, post: Post, seat: str, *, at_once: int = 8, grace_s: float = 5.0) -> None:
        self._store = store
        self._post = post
        self._seat = seat
        self._at_once = at_once
        self._grace_s = grace_s
        self._free = threading.Semaphore(at_once)
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put() may be called by a signal handler, Event.set() not
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        until_s = time.monotonic() + self._grace_s
        self._thread.join(self._grace_s)
        for _ in range(self._at_once):
            self._free.acquire(timeout=max(0.0, until_s - time.monotonic()))

    def ring(self) -> None:
        """Say that something may be due."""
        self._bell.put(None)

    def stop(self) -> None:
        """Take no more; what is under way goes on."""
        self._stopping = True
        self._bell.put(None)

    def _run(self) -> None:
        released = self._insist(lambda: self._store.release_seat(self._seat))
        if released:
            _log.info("Callbacks of a dead sender are sent again.", extra={"action": "callbacks_back", "n": released})
        while not self._stopping:
            self._free.acquire()  # tries end within their time, so this does, too
            callback = self._claim()
            if callback is None:
                self._free.release()
                self._sleep()
            else:
                threading.Thread(target=self._carry, args=(callback,), name="callback", daemon=True).start()

    def _claim(self) -> Callback | None:
        try:
            return self._post.claim()
        except StoreError as exc:
            _log.warning(
                "No callback could be taken now.", extra={"action": "callback_claim_failed", "reason": str(exc)}
            )
            return None

    def _carry(self, callback: Callback) -> None:
        try:
            outcome = self._post.send(callback)
            self._insist(lambda: self._post.record(callback, outcome))
        finally:
            self._free.release()
            self.ring()  # its host has no try any more

    def _insist(self, write: Callable[[], _T]) -> _T | None:
        """Write although others hold the database or fill the disk, for as long as there is time; None: it was not."""
        while True:
            try:
                return write()
            except StoreError as exc:
                _log.warning("A write has to wait.", extra={"action": "callback_write_waits", "reason": str(exc)})
                if self._stopping:
                    return None
                time.sleep(_LOOK_EVERY_S)

    def _sleep(self) -> None:
        """Wait for the bell or for the next callback's time. One look answers all rings so far."""
        try:
            self._bell.get(timeout=self._pause_s())
            while True:
                self._bell.get_nowait()
        except Empty:
            return

    def _pause_s(self) -> float:
        try:
            due_at = self._store.next_due_at(self._post.owner)
        except StoreError:
            return _LOOK_EVERY_S
        if due_at is None:
            return _LOOK_EVERY_S
        left_s = (due_at - self._post.clock()).total_seconds()
        # What is due and was not taken waits for its host, whose try rings when it ends.
        return min(left_s, _LOOK_EVERY_S) if left_s > 0 else _LOOK_EVERY_S
