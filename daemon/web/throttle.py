"""Holds back who guesses keys: so many failures a minute from one address, before any database work. Knows no HTTP.

A key that was good before is let through from anywhere, so that one flow with a wrong key does not lock out those
beside it; whether it still is good is looked up as ever.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import anyio
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from daemon.errors import BadKey, TooManyRequests

FAILURES = 10
WINDOW_S = 60
MOST_ADDRESSES = 10_000
MOST_KEYS = 1_000
_JUMP_S = 5.0
# What is refused is written down so often: once a minute for an address, and for all addresses in a minute and a day.
_NEWS = RateLimitItemPerSecond(1, 60, namespace="NEWS")
_ALL_NEWS = (RateLimitItemPerSecond(60, 60), RateLimitItemPerSecond(2000, 86_400))
_ALL = "all"
_TOO_MANY = "Too many wrong keys came from this address."


class Throttle:
    """Failures by address, in memory. Used from one thread, the event loop's."""

    def __init__(
        self, failures: int = FAILURES, window_s: int = WINDOW_S, wall: Callable[[], float] = time.time
    ) -> None:
        self._rate = RateLimitItemPerSecond(failures, window_s)
        self._storage = MemoryStorage()
        self._windows = MovingWindowRateLimiter(self._storage)
        self._wall = wall
        self._offset_s = self._clock_offset_s()
        self._addresses: OrderedDict[str, None] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._salt = secrets.token_bytes(32)
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, address: str, presented: str) -> AsyncIterator[None]:
        """Let a block look a key up; if it raises BadKey, that is a failure of the address.

        Keys that are new take turns, so that no burst gets more tries than the limit.

        Raises:
            TooManyRequests: the address has failed too often, and this key has never been good.
        """
        digest = hashlib.blake2b(presented.encode("utf-8", "replace"), key=self._salt).digest()
        if digest in self._good:
            async with self._judged(address, digest):
                yield
            return
        turn = self._turns.setdefault(address, anyio.Lock())
        async with turn:
            self.check(address)
            async with self._judged(address, digest):
                yield

    def check(self, address: str) -> None:
        """Refuse an address that has failed too often.

        Raises:
            TooManyRequests: it has to wait.
        """
        self._forget_after_a_jump()
        if not self._windows.test(self._rate, address):
            wait_s = self._windows.get_window_stats(self._rate, address).reset_time - self._wall()
            raise TooManyRequests("wrong_keys", _TOO_MANY, math.ceil(min(wait_s, self._rate.get_expiry())))

    def failed(self, address: str) -> None:
        """Count a failure of the address. Beyond so many addresses, those that failed longest ago are forgotten."""
        self._windows.hit(self._rate, address)
        self._remember(address)

    def is_news(self, address: str) -> bool:
        """Say whether what an address does without leave is still worth writing down: who has many addresses must not
        be able to fill a disk either."""
        self._forget_after_a_jump()
        self._remember(address)
        return self._windows.hit(_NEWS, address) and all(self._windows.hit(rate, _ALL) for rate in _ALL_NEWS)

    def _remember(self, address: str) -> None:
        self._addresses[address] = None
        self._addresses.move_to_end(address)
        while len(self._addresses) > MOST_ADDRESSES:
            oldest, _ = self._addresses.popitem(last=False)
            self._windows.clear(self._rate, oldest)
            self._windows.clear(_NEWS, oldest)

    @asynccontextmanager
    async def _judged(self, address: str, digest: bytes) -> AsyncIterator[None]:
        try:
            yield
        except BadKey:
            self._good.pop(digest, None)
            self.failed(address)
            raise
        self._good[digest] = None
        self._good.move_to_end(digest)
        while len(self._good) > MOST_KEYS:
            self._good.popitem(last=False)

    def _forget_after_a_jump(self) -> None:
        """Start anew after the wall clock, which the windows go by, was set: else they might stay shut for days."""
        offset_s = self._clock_offset_s()
        if abs(offset_s - self._offset_s) > _JUMP_S:
            self._offset_s = offset_s
            self._storage.reset()

    def _clock_offset_s(self) -> float:
        return self._wall() - time.monotonic()
