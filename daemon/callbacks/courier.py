"""The threads that carry callbacks, beside the films that a worker makes. Knows when, not what or whereto.

One thread looks what is due and sleeps until something is; each try has a thread of its own while it lasts, a few at a
time. The outbox sees to it that a host has one try at a time. Nothing that goes wrong ends the courier: what was lost
by it is found in the outbox and sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TypeVar

from daemon.callbacks.post import Post
from daemon.errors import StoreError
from daemon.store.callbacks import Callback, CallbackStore

_LOOK_EVERY_S = 1.0  # other processes put callbacks there, too, and ring no bell here
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Courier:
    """Carries the callbacks of `store` until the block ends, at most `at_once` at a time.

    Only for who holds the lock of `seat`: what a dead process of it was sending is sent again at once. At the end,
    tries under way have `grace_s` seconds; what is not through by then is sent again at the next start. Every
    `tidy_every_s` it looks for what nobody carries any more.
    """

    def __init__(
        self,
        store: CallbackStore,
        post: Post,
        seat: str,
        *,
        at_once: int = 8,
        grace_s: float = 5.0,
        tidy_every_s: float = 30.0,
    ) -> None:
        self._store = store
        self._post = post
        self._seat = seat
        self._at_once = at_once
        self._grace_s = grace_s
        self._tidy_every_s = tidy_every_s
        self._tidy_at: float | None = None
        self._under_way: set[str] = set()
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
        while not self._stopping:
            try:
                self._tidy()
                callback = self._claim()
                if callback is None:
                    self._sleep()
                else:
                    self._send(callback)
            except StoreError as exc:
                told = {"action": "callback_claim_failed", "reason": str(exc)}
                _log.warning("No callback could be taken now.", extra=told)
                time.sleep(_LOOK_EVERY_S)
            except Exception as exc:  # whatever it is, the next look may find it gone
                _log.error("No callback could be taken now.", exc_info=exc, extra={"action": "callback_claim_failed"})
                time.sleep(_LOOK_EVERY_S)

    def _tidy(self) -> None:
        """Have sent again what a dead process was sending, and now and then what was lost here."""
        if self._tidy_at is None:
            found = self._store.release_seat(self._seat)
        elif time.monotonic() >= self._tidy_at:
            found = self._store.tidy(self._post.owner, frozenset(self._under_way))
        else:
            return
        self._tidy_at = time.monotonic() + self._tidy_every_s
        if found:
            _log.warning("Callbacks that nobody carried are sent now.", extra={"action": "callbacks_back", "n": found})

    def _claim(self) -> Callback | None:
        self._free.acquire()  # tries end within their time, so this does, too
        callback = None
        try:
            callback = self._post.claim()
        finally:
            if callback is None:
                self._free.release()
        return callback

    def _send(self, callback: Callback) -> None:
        self._under_way.add(callback.id)
        try:
            threading.Thread(target=self._carry, args=(callback,), name="callback", daemon=True).start()
        except (RuntimeError, MemoryError):  # no room for another thread: then all others wait for this one
            self._carry(callback)

    def _carry(self, callback: Callback) -> None:
        try:
            outcome = self._post.send(callback)
            self._insist(lambda: self._post.record(callback, outcome))
        except Exception as exc:
            told = {"action": "callback_write_failed", "job": callback.job_id, "callback": callback.id}
            _log.error("What came of a callback could not be written; it is sent again.", exc_info=exc, extra=told)
        finally:
            self._under_way.discard(callback.id)
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
