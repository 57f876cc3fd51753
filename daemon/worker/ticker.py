"""Does something again and again on a thread of its own. Knows neither what nor why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from daemon.errors import VixError

_log = logging.getLogger(__name__)


class Ticker:
    """Calls `act` every `every_s` seconds while entered, first after that time, or at once with `at_once`.

    What `act` raises is logged, and the next turn comes all the same. Leaving waits `join_s` for a turn to end.
    """

    def __init__(
        self, name: str, every_s: float, act: Callable[[], object], *, at_once: bool = False, join_s: float = 10.0
    ) -> None:
        self._name = name
        self._every_s = every_s
        self._act = act
        self._at_once = at_once
        self._join_s = join_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(self._join_s)

    def _run(self) -> None:
        if self._at_once:
            self._turn()
        while not self._stopped.wait(self._every_s):
            self._turn()

    def _turn(self) -> None:
        try:
            self._act()
        except VixError as exc:
            _log.warning(
                "Something could not be done now.", extra={"action": "turn_failed", "turn": self._name, "reason": exc}
            )
        except Exception as exc:
            _log.error("A turn failed.", exc_info=exc, extra={"action": "turn_failed", "turn": self._name})
