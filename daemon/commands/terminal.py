"""Progress on a terminal: one line that is rewritten. Where nobody watches, as in a log, only every tenth of it."""

from __future__ import annotations

import sys
from types import TracebackType

_WIDTH = 78


class ProgressLine:
    """A line on standard error, as a context manager. `show` takes a share from 0 to 1 and a few words."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._tenth = -1
        self._live = sys.stderr.isatty()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._tenth >= 0:
            print(file=sys.stderr)

    def show(self, share: float, words: str = "") -> None:
        """Write where things stand."""
        tenth = int(share * 10)
        line = f"{self._title} {share:4.0%} {words}"[:_WIDTH]
        if self._live:
            print(f"\r{line:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
        elif tenth > self._tenth:
            print(line.rstrip(), file=sys.stderr, flush=True)
        self._tenth = max(self._tenth, tenth)
