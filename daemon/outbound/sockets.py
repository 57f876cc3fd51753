"""Connections for HTTP that go only where they may, and end in time. Knows sockets and TLS, not HTTP.

The name is resolved once, all answers are checked, and one of those very answers is called: a name that means another
address a moment later changes nothing. Every wait is bounded by one deadline for the whole exchange.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import httpcore

from daemon.errors import VixError
from daemon.outbound.addresses import Guard

_LONGEST_CONNECT_S = 5.0
_PIECE_BYTES = 65_536

Resolve = Callable[[str, int], Sequence[str]]
"""From a name and a port to addresses; raises OSError where there are none."""


class NotReached(VixError):
    """No connection came about, or it broke; trying again may help."""

    code = "not_reached"
    permanent = False


class TooSlow(NotReached):
    """The time was up."""

    code = "too_slow"


class Deadline:
    """When an exchange has to be over: `total_s` from now, and never `stall_s` without a byte."""

    def __init__(self, total_s: float, stall_s: float) -> None:
        self._total_s = total_s
        self._stall_s = stall_s
        self._until = time.monotonic() + total_s

    def left_s(self) -> float:
        """How long the next step may take.

        Raises:
            TooSlow: no time is left.
        """
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise self.missed()
        return min(left_s, self._stall_s)

    def missed(self) -> TooSlow:
        if self._until > time.monotonic():
            return TooSlow(f"Nothing came for {self._stall_s:g} s.")
        return TooSlow(f"It took longer than {self._total_s:g} s.")


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Backend(httpcore.NetworkBackend):
    """What httpcore opens connections with, for one exchange."""

    def __init__(self, guard: Guard, resolve: Resolve, deadline: Deadline) -> None:
        self._guard = guard
        self._resolve = resolve
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first checked address that answers.

        Raises:
            UrlRefused: it is not called; no packet has left.
            NotReached: there is no such name, or nobody answers.
        """
        addresses = self._addresses(host, port)
        self._guard.check(host, port, addresses)
        reason = "no address"
        for address in addresses:
            try:
                connection = socket.create_connection((address, port), min(self._deadline.left_s(), _LONGEST_CONNECT_S))
            except OSError as exc:
                reason = _reason(exc)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Stream(connection, self._deadline)
        raise NotReached(f"No connection: {reason}.")

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Resolve within the deadline, which the system's resolver does not know: it is left behind if need be."""
        answer: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self._resolve(host, port))
            except (OSError, UnicodeError) as exc:
                answer.put(exc)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            found = answer.get(timeout=self._deadline.left_s())
        except Empty:
            raise TooSlow("The name could not be resolved in time.") from None
        if isinstance(found, Exception) or not found:
            raise NotReached("The name could not be resolved.")
        return found


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the deadline, however little comes in each."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(self._deadline.left_s())
        try:
            return self._connection.recv(max_bytes)
        except TimeoutError:
            raise self._deadline.missed() from None
        except OSError as exc:
            raise httpcore.ReadError(_reason(exc)) from exc

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._connection.settimeout(self._deadline.left_s())
            try:
                rest = rest[self._connection.send(rest[:_PIECE_BYTES]) :]
            except TimeoutError:
                raise self._deadline.missed() from None
            except OSError as exc:
                # httpcore then reads what the other side may have said before it hung up.
                raise httpcore.WriteError(_reason(exc)) from exc

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS under the name, whatever address was called.

        Raises:
            NotReached: the certificate is not that name's, or TLS fails otherwise.
        """
        name = (server_hostname or "").rstrip(".")
        try:
            self._connection.settimeout(self._deadline.left_s())
            wrapped = ssl_context.wrap_socket(
                self._connection,
                server_hostname=name,
                suppress_ragged_eofs=False,  # an end without a farewell may be a cut
            )
        except BaseException as exc:
            self.close()
            if isinstance(exc, TimeoutError):
                raise self._deadline.missed() from None
            if isinstance(exc, ssl.SSLCertVerificationError):
                raise NotReached(f"The certificate is not to be trusted: {exc.verify_message}.") from None
            if isinstance(exc, OSError):
                raise NotReached(f"No TLS connection: {_reason(exc)}.") from exc
            raise
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._connection if info == "socket" else None


def _reason(exc: OSError) -> str:
    """Say what went wrong without names and addresses."""
    if isinstance(exc, TimeoutError):
        return "nobody answers"
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "TLS failed").replace("_", " ").lower()
    return (exc.strerror or type(exc).__name__).lower()
