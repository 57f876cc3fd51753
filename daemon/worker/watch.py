"""Sees while a film is made that it is still wanted from here: not cancelled, and not taken over by another worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from daemon.jobs import Claim
from daemon.worker.ticker import Ticker

EVERY_S = 0.5
_JOIN_S = 2.0  # a question that is still under way then is not worth waiting for


class Lost:
    """Whether a claim is lost. Once it is, it stays so."""

    def __init__(self) -> None:
        self.known = False

    def __bool__(self) -> bool:
        return self.known


@contextmanager
def watched(claim: Claim, holds: Callable[[Claim], bool], every_s: float = EVERY_S) -> Iterator[Lost]:
    """Ask `holds` again and again on a thread of its own while the block runs. A question that fails says nothing."""
    lost = Lost()

    def look() -> None:
        if not lost and not holds(claim):
            lost.known = True

    with Ticker("watch", every_s, look, join_s=_JOIN_S):
        yield lost
