"""Things that run beside each other and end at the same time, within one limit. Knows nothing of what they do."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType

_log = logging.getLogger(__name__)


class Together:
    """Context managers that are entered one after the other and left all at once, each on a thread of its own.

    Leaving takes `leave_s` seconds at most, however many there are; what takes longer ends with the process. What
    leaving one raises is logged.
    """

    def __init__(self, leave_s: float) -> None:
        self._leave_s = leave_s
        self._entered: list[AbstractContextManager[object]] = []

    def enter(self, one: AbstractContextManager[object]) -> None:
        """Enter one more."""
        one.__enter__()
        self._entered.append(one)

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        threads = [threading.Thread(target=_leave, args=(one,), daemon=True) for one in reversed(self._entered)]
        for thread in threads:
            thread.start()
        until_s = time.monotonic() + self._leave_s
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))


def _leave(one: AbstractContextManager[object]) -> None:
    try:
        one.__exit__(None, None, None)
    except Exception as exc:
        _log.error("The end of a part failed.", exc_info=exc, extra={"action": "leave_failed"})
