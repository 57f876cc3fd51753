"""Which signals ask a process to stop, and how it hears of them. Knows nothing of what is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ASK = signal.SIGTERM
# Two signals of one kind that come close together are one to whom they are sent to, so that the second is another.
HURRY = signal.SIGINT
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def on_stop(told: Callable[[], None]) -> Iterator[None]:
    """Call `told` for each signal that asks to stop while the block runs: SIGTERM, Ctrl-C, the end of a session.

    `told` runs between any two lines of the main thread. Under `nohup` the end of a session stays ignored.
    """
    before = {
        number: signal.signal(number, lambda *_: told())
        for number in _STOPPING
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hang_up_stops() -> None:
    """Take the end of a session for a wish to stop, in a program that knows only SIGTERM; under `nohup` it stays
    ignored."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
