"""One connection of a client, with the deadlines and limits that uvicorn does not have: for the head of a request, for
a client that does not read its answer, and for how many there may be. Knows no request's meaning; bodies have their own
deadline."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import h11
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from daemon.web import errors
from daemon.web.client import LOOPBACK, UNIX, Client, Network, parse_address
from daemon.web.wire import NotHttp, TooManyConnections


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take, in seconds: to send a whole head, counted from the connection's or the head's
    first moment; to send the first byte of another one; to read anything of an answer.

    Beyond so many `connections`, or so many from one address (or IPv6 /64), one that only holds makes room. The latter
    does not hold for the networks in `exempt`, nor on a unix socket: a proxy has the connections of all its clients.
    """

    head_s: float = 10.0
    idle_s: int = 15
    read_s: float = 15.0
    # Well below the usual limit of 1024 open files of a process.
    connections: int = 500
    per_address: int = 50
    exempt: tuple[Network, ...] = LOOPBACK


USUAL = Patience()


class Seldom(logging.Filter):
    """Lets each warning through once in `every_s`: strangers cause them, and must not be able to fill the log."""

    def __init__(self, every_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        now = self._clock()
        is_due = now - self._said_at.get(record.msg, -self._every_s) >= self._every_s
        if is_due:
            self._said_at[record.msg] = now
        return is_due


_log = logging.getLogger(__name__)
_log.addFilter(Seldom())


class Connection(H11Protocol):
    """A connection without patience for clients that only hold it."""

    patience = USUAL

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self.idle_since = time.monotonic()
        self.paused_since: float | None = None
        self.peer = Client(None, certain=False, scheme="")
        self._head = _Deadline(self.loop, self.patience.head_s)
        self._read = _Deadline(self.loop, self.patience.read_s)
        self._unread_bytes = 0
        self._is_unix = False

    @property
    def is_idle(self) -> bool:
        """Whether no request of this connection is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Writing counts as paused while a single byte is left: else one that is closed with a few of them unsent, which
        # nobody reads, would stay open without a deadline.
        transport.set_write_buffer_limits(high=0)
        self._is_unix = transport.get_extra_info("socket").family == socket.AF_UNIX
        if self._is_unix:
            self.client = (UNIX, 0)
        self.peer = Client(parse_address(self.client[0] if self.client else ""), certain=True, scheme="")
        self._make_room()
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
        self._await_reading()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.paused_since = None
        self._read.disarm()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless an answer to something else is half written."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = errors.written(Request({"type": "http", "path": "/", "headers": []}), NotHttp())
            head = h11.Response(status_code=answer.status_code, headers=answer.raw_headers)
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_head(self) -> None:
        if not self.transport.is_closing():
            self._head.arm(self.transport.close)

    def _await_reading(self) -> None:
        self.paused_since = time.monotonic()
        self._unread_bytes = _unread_bytes(self.transport)
        self._read.arm(self._end_unless_read)

    def _end_unless_read(self) -> None:
        """Cut off who has read nothing meanwhile; who reads slowly has the time anew."""
        self._read.disarm()
        if _unread_bytes(self.transport) < self._unread_bytes:
            self._await_reading()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        """Keep the connections within their limits, so that those who only hold one keep nobody out."""
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        near = [one for one in others if one.peer.group == self.peer.group]
        is_exempt = self._is_unix or self.peer.is_in(self.patience.exempt)
        if len(near) >= self.patience.per_address and not is_exempt:
            self._replace_one_of(near)
        elif len(others) >= self.patience.connections:
            self._replace_one_of(others)

    def _replace_one_of(self, crowd: list[Connection]) -> None:
        """Cut off whoever has been idle longest, else whoever has not read for longest. Where all are at work, this
        connection is only told so."""
        paused = [one for one in crowd if one.paused_since is not None]
        idle = [one for one in crowd if one.is_idle and one.paused_since is None]
        if idle or paused:
            victim = min(idle, key=lambda one: one.idle_since) if idle else min(paused, key=_paused_since)
            self.connections.discard(victim)
            victim.transport.abort()
        else:
            _log.warning("A connection was refused, as too many are open.")
            self.app = _refuse


def patient(patience: Patience) -> type[Connection]:
    """The class of connections with other deadlines."""
    return type("PatientConnection", (Connection,), {"patience": patience})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await errors.written(Request(scope), TooManyConnections())(scope, receive, send)


def _paused_since(connection: Connection) -> float:
    return connection.paused_since or 0.0


def _unread_bytes(transport: asyncio.Transport) -> int:
    """How much of what was written the client has not acknowledged: here and in the kernel (see tcp(7), SIOCOUTQ)."""
    (queued,) = struct.unpack("i", fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(queued) + transport.get_write_buffer_size()


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
