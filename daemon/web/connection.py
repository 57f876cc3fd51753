"""One connection of a client, with the deadlines that uvicorn does not have: for the head of a request, and for a
client that does not read its answer. Knows no request's meaning; bodies have their own deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take, in seconds: to send a whole head, counted from the connection's or the head's
    first moment; to send the first byte of another one; to read anything of an answer. Beyond so many `connections`
    the one that has been idle longest makes room."""

    head_s: float = 10.0
    idle_s: int = 15
    read_s: float = 60.0
    # Well below the usual limit of 1024 open files of a process.
    connections: int = 500


USUAL = Patience()


class Connection(H11Protocol):
    """A connection without patience for clients that only hold it."""

    patience = USUAL

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle_since = time.monotonic()
        self._head = _Deadline(self.loop, self.patience.head_s)
        self._read = _Deadline(self.loop, self.patience.read_s)

    @property
    def is_idle(self) -> bool:
        """Whether no request of this connection is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._make_room()
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.disarm()
        self._read.disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A request that is being answered has all the time; what else comes in, such as the rest of a body that was
        # refused, does not start the time anew.
        if self.is_idle:
            self._await_head()
        else:
            self._head.disarm()

    def on_response_complete(self) -> None:
        self.idle_since = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._read.arm(self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._read.disarm()
        super().resume_writing()

    def _await_head(self) -> None:
        if not self.transport.is_closing():
            self._head.arm(self.transport.close)

    def _make_room(self) -> None:
        """Close whoever has been idle longest where there are too many, so that those who only connect keep nobody
        out."""
        idle = [one for one in self.connections if isinstance(one, Connection) and one.is_idle]
        if len(self.connections) + 1 >= self.patience.connections and idle:
            victim = min(idle, key=lambda one: one.idle_since)
            self.connections.discard(victim)
            victim.transport.close()


def patient(patience: Patience) -> type[Connection]:
    """The class of connections with other deadlines."""
    return type("PatientConnection", (Connection,), {"patience": patience})


class _Deadline:
    """A time after which something is done, unless it is taken back before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        self._loop = loop
        self._after_s = after_s
        self._timer: asyncio.TimerHandle | None = None

    def arm(self, then: Callable[[], None]) -> None:
        """Start the time, unless it runs already."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._after_s, then)

    def disarm(self) -> None:
        """Let nothing be done; it can be armed again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
