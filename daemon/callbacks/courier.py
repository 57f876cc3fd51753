"""Carries callbacks. Knows when they are due and who takes them up again, not what is in them.

The outbox sees to it that a host has one try at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from daemon.callbacks.post import Post
from daemon.carrier import LOOK_EVERY_S, Carrier
from daemon.errors import StoreError
from daemon.store.callbacks import Callback, CallbackStore

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Courier(Carrier[Callback]):
    """Carries the callbacks of `store`.

    Only for who holds the lock of `seat`: what a dead process of it was sending is sent again at once, and what is not
    through at the end at the next start.
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
        super().__init__("callback", at_once=at_once, grace_s=grace_s, tidy_every_s=tidy_every_s)
        self._store = store
        self._post = post
        self._seat = seat

    def _claim(self) -> Callback | None:
        return self._post.claim()

    def _carry(self, one: Callback) -> None:
        outcome = self._post.send(one)
        self._insist(lambda: self._post.record(one, outcome))

    def _tidy(self, *, is_first: bool) -> None:
        if is_first:
            found = self._store.release_seat(self._seat)
        else:
            found = self._store.tidy(self._post.owner, frozenset(self._under_way))
        if found:
            _log.warning("Callbacks that nobody carried are sent now.", extra={"action": "callbacks_back", "n": found})

    def _insist(self, write: Callable[[], _T]) -> _T | None:
        """Write although others hold the database or fill the disk, for as long as there is time; None: it was not."""
        while True:
            try:
                return write()
            except StoreError as exc:
                _log.warning("A write has to wait.", extra={"action": "callback_write_waits", "reason": str(exc)})
                if self._stopping:
                    return None
                time.sleep(LOOK_EVERY_S)

    def _pause_s(self) -> float:
        try:
            due_at = self._store.next_due_at(self._post.owner)
        except StoreError:
            return LOOK_EVERY_S
        if due_at is None:
            return LOOK_EVERY_S
        left_s = (due_at - self._post.clock()).total_seconds()
        # What is due and was not taken waits for its host, whose try rings when it ends.
        return min(left_s, LOOK_EVERY_S) if left_s > 0 else LOOK_EVERY_S
