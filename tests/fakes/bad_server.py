"""A server of media that misbehaves, as its path says. Answers in raw bytes, since no HTTP server would do so."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FILM = bytes(range(256)) * 64
_DRIP_S = 0.05
# Long enough for any deadline of a test; then the thread ends by itself.
_FOR_EVER_S = 20.0
_ENDLESS = 400_000_000


class BadServer:
    """What is asked for, `/<behaviour>`, decides; `asked` counts how often."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.asked: Counter[str] = Counter()
        self.redirect_to = "/good"
        self.sent = 0
        self._listener = socket.create_server((host, 0))
        self.host, self.port = self._listener.getsockname()[:2]
        self._closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, behaviour: str) -> str:
        return f"http://{self.host}:{self.port}/{behaviour}"

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(4096)
                if not piece:
                    return
                head += piece
            name = head.split(b" ")[1].decode().strip("/").partition("?")[0]
            self.asked[name] += 1
            behave: Callable[[socket.socket], None] = getattr(self, f"do_{name}")
            behave(connection)

    def _send(self, connection: socket.socket, raw: bytes) -> None:
        connection.sendall(raw)
        self.sent += len(raw)

    def _head(self, connection: socket.socket, status: int = 200, **headers: object) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self._send(connection, "\r\n".join([*lines, "", ""]).encode())

    def _drip(self, connection: socket.socket, piece: bytes, pause_s: float = _DRIP_S) -> None:
        until = time.monotonic() + _FOR_EVER_S
        while time.monotonic() < until and not self._closing.wait(pause_s):
            self._send(connection, piece)

    def do_good(self, connection: socket.socket) -> None:
        self._head(connection, content_length=len(FILM))
        self._send(connection, FILM)

    def do_cut(self, connection: socket.socket) -> None:
        """The cable is pulled before a byte of the answer."""

    def do_reset(self, connection: socket.socket) -> None:
        self._head(connection, content_length=len(FILM))
        self._send(connection, FILM[:100])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_half(self, connection: socket.socket) -> None:
        self._head(connection, content_length=len(FILM))
        self._send(connection, FILM[: len(FILM) // 2])

    def do_half_chunked(self, connection: socket.socket) -> None:
        self._head(connection, transfer_encoding="chunked")
        self._send(connection, b"100\r\n" + FILM[:256] + b"\r\n")

    def do_silent(self, connection: socket.socket) -> None:
        self._closing.wait(_FOR_EVER_S)

    def do_slow_head(self, connection: socket.socket) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\nx: ")
        self._drip(connection, b"y")

    def do_slow_body(self, connection: socket.socket) -> None:
        self._head(connection, content_length=len(FILM))
        self._drip(connection, b"z")

    def do_endless_head(self, connection: socket.socket) -> None:
        self._send(connection, b"HTTP/1.1 200 OK\r\n")
        while self.sent < _ENDLESS:
            self._send(connection, b"x: " + b"y" * 60_000 + b"\r\n")

    def do_endless_body(self, connection: socket.socket) -> None:
        self._head(connection, content_type="video/mp4")
        while self.sent < _ENDLESS:
            self._send(connection, b"\0" * 65_536)

    def do_huge(self, connection: socket.socket) -> None:
        self._head(connection, content_length=10**15)
        self._drip(connection, b"z")

    def do_redirects(self, connection: socket.socket) -> None:
        self._head(connection, 302, location=f"/redirects?{self.asked['redirects']}", content_length=0)

    def do_redirect(self, connection: socket.socket) -> None:
        self._head(connection, 302, location=self.redirect_to, content_length=0)

    def do_bomb(self, connection: socket.socket) -> None:
        raw = gzip.compress(b"\0" * 50_000_000)
        self._head(connection, content_length=len(raw), content_encoding="gzip")
        self._send(connection, raw)

    def do_garbage(self, connection: socket.socket) -> None:
        self._send(connection, b"\x16\x03\x01 SSH-2.0 what\r\n\r\n" * 10)

    def do_missing(self, connection: socket.socket) -> None:
        self._head(connection, 404, content_length=0)

    def do_busy(self, connection: socket.socket) -> None:
        """Busy twice, then well."""
        if self.asked["busy"] < 3:
            self._head(connection, 503, content_length=0)
        else:
            self.do_good(connection)

    def do_flaky(self, connection: socket.socket) -> None:
        """Half a film once, then all of it."""
        if self.asked["flaky"] < 2:
            self.do_half(connection)
        else:
            self.do_good(connection)


@contextmanager
def bad_server(host: str = "127.0.0.1") -> Iterator[BadServer]:
    """A running bad server."""
    server = BadServer(host)
    try:
        yield server
    finally:
        server.close()
