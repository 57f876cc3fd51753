"""The threads of whoever carries something out of the house, beside the films that a worker makes. Knows when, not what
or whereto.

One thread looks what is due and sleeps until something is; each thing has a thread of its own while it is carried, a
few at a time. Nothing that goes wrong ends it: what was lost by it is found in the outbox again.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from daemon.errors import StoreError

LOOK_EVERY_S = 1.0  # other processes put things there, too, and ring no bell here
_log = logging.getLogger(__name__)


class Named(Protocol):
    """What is carried has an id."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Named)


class Carrier(ABC, Generic[T]):
    """Carries what is due until the block ends, at most `at_once` at a time. `what` names it in threads and logs.

    At the end, what is under way has `grace_s` seconds. Every `tidy_every_s` it looks for what nobody carries any more.
    """

    def __init__(self, what: str, *, at_once: int, grace_s: float, tidy_every_s: float) -> None:
        self._what = what
        self._at_once = at_once
        self._grace_s = grace_s
        self._tidy_every_s = tidy_every_s
        self._tidy_at: float | None = None
        self._under_way: set[str] = set()
        self._free = threading.Semaphore(at_once)
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put() may be called by a signal handler, Event.set() not
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"{what} carrier", daemon=True)

    def __enter__(self) -> Self:
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

    @abstractmethod
    def _claim(self) -> T | None:
        """Take what is due next; None where nothing is."""

    @abstractmethod
    def _carry(self, one: T) -> None:
        """Carry it, and write down what came of it."""

    @abstractmethod
    def _tidy(self, *, is_first: bool) -> None:
        """Make due what nobody carries: the first time what dead processes were at, later what was lost here."""

    def _pause_s(self) -> float:
        """How long nothing has to be looked for, unless the bell rings."""
        return LOOK_EVERY_S

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._tidy_in_time()
                one = self._take()
                if one is None:
                    self._sleep()
                else:
                    self._start(one)
            except StoreError as exc:
                told = {"action": f"{self._what}_claim_failed", "reason": str(exc)}
                _log.warning("Nothing could be taken now.", extra=told)
                time.sleep(LOOK_EVERY_S)
            except Exception as exc:  # whatever it is, the next look may find it gone
                told = {"action": f"{self._what}_claim_failed"}
                _log.error("Nothing could be taken now.", exc_info=exc, extra=told)
                time.sleep(LOOK_EVERY_S)

    def _tidy_in_time(self) -> None:
        is_first = self._tidy_at is None
        if self._tidy_at is None or time.monotonic() >= self._tidy_at:
            self._tidy(is_first=is_first)
            self._tidy_at = time.monotonic() + self._tidy_every_s

    def _take(self) -> T | None:
        self._free.acquire()  # what is under way ends within its time, so this does, too
        one = None
        try:
            if not self._stopping:
                one = self._claim()
        finally:
            if one is None:
                self._free.release()
        return one

    def _start(self, one: T) -> None:
        self._under_way.add(one.id)
        try:
            threading.Thread(target=self._carry_one, args=(one,), name=self._what, daemon=True).start()
        except (RuntimeError, MemoryError):  # no room for another thread: then all others wait for this one
            self._carry_one(one)

    def _carry_one(self, one: T) -> None:
        try:
            self._carry(one)
        except Exception as exc:
            told = {"action": f"{self._what}_write_failed", self._what: one.id}
            _log.error("What came of it could not be written; it is found again.", exc_info=exc, extra=told)
        finally:
            self._under_way.discard(one.id)
            self._free.release()
            self.ring()  # its receiver is free

    def _sleep(self) -> None:
        """Wait for the bell or for what is due next. One look answers all rings so far."""
        try:
            self._bell.get(timeout=self._pause_s())
            while True:
                self._bell.get_nowait()
        except Empty:
            return
