"""Tells systemd how the process is: that it is ready, that it lives, that it stops. Knows the protocol of sd_notify(3)
and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"

Notify = Callable[[str], None]
"""`notify(state)`: it never blocks and never raises, as whoever does not listen is none of a service's business."""


def notifier(address: str) -> Notify:
    """What tells the one who has started this process at `address`, the value of `NOTIFY_SOCKET`; empty: nobody.

    The first character `@` stands for the zero byte of an abstract name, see unix(7).
    """
    if not address.startswith(("/", "@")):
        return lambda state: None
    name = "\0" + address[1:] if address.startswith("@") else address

    def notify(state: str) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.sendto(state.encode(), name)

    return notify


@contextmanager
def told(notify: Notify) -> Iterator[None]:
    """Say that the process is ready while the block runs, and afterwards that it stops."""
    notify(READY)
    try:
        yield
    finally:
        notify(STOPPING)
