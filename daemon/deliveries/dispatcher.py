"""Publishes what is due. Knows who takes up what was left behind, not what is published or where."""

from __future__ import annotations

import logging

from daemon.carrier import Carrier
from daemon.deliveries.dispatch import Dispatch
from daemon.deliveries.life import Delivery

_TIDY_EVERY_S = 60.0
_log = logging.getLogger(__name__)


class Dispatcher(Carrier[Delivery]):
    """Carries deliveries.

    Only for who holds the lock of `seat`: what a dead process of it was at is taken up again, and what is not through
    at the end at the next start.
    """

    def __init__(self, dispatch: Dispatch, seat: str, *, at_once: int = 2, grace_s: float = 4.0) -> None:
        super().__init__("delivery", at_once=at_once, grace_s=grace_s, tidy_every_s=_TIDY_EVERY_S)
        self._dispatch = dispatch
        self._seat = seat

    def _claim(self) -> Delivery | None:
        return self._dispatch.claim()

    def _carry(self, one: Delivery) -> None:
        self._dispatch.step(one)

    def _tidy(self, *, is_first: bool) -> None:
        if not is_first:
            self._dispatch.store.tidy()
        elif found := self._dispatch.store.release_seat(self._seat):
            told = {"action": "deliveries_back", "n": found}
            _log.warning("Deliveries of a dead worker are taken up again.", extra=told)
