"""Counts the answers that are held back or go on, so that one key cannot take all connections. Knows no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 20


class Held:
    """How many answers there are for each key. Used from one thread, the event loop's."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    def take(self, key_id: str) -> bool:
        """Count one more answer, to be given back; False where there are as many as may be."""
        if self._counts[key_id] >= self._most:
            return False
        self._counts[key_id] += 1
        return True

    def give_back(self, key_id: str) -> None:
        """Count one answer less, once for each that was taken."""
        self._counts[key_id] -= 1
        if not self._counts[key_id]:
            del self._counts[key_id]

    @contextmanager
    def one(self, key_id: str) -> Iterator[bool]:
        """Take one for the length of a block, which is told whether it got it."""
        is_taken = self.take(key_id)
        try:
            yield is_taken
        finally:
            if is_taken:
                self.give_back(key_id)
