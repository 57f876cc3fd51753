"""The one HTTP client for addresses that others name: callbacks and media. Knows neither jobs nor what it carries.

VixError
 ├── UrlRefused         see daemon.errors                                           permanent
 ├── NotReached         no name, no connection, no TLS, no whole answer             may pass
 │    ├── TooSlow       the deadline is missed, or too little comes for too long    may pass
 │    └── BrokenAnswer  what comes is not HTTP, or ends before it is complete       may pass
 ├── Refused            the server answers, but not with what was asked for         by its status
 ├── TooLarge           it is longer than it may be                                 permanent
 └── TooManyRedirects   it leads on and on                                          permanent
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import RawIOBase
from typing import Any

import certifi
import httpcore
import httpx

from daemon.errors import VixError
from daemon.outbound.addresses import Guard
from daemon.outbound.sockets import Backend, Deadline, NotReached, Resolve, TooSlow, resolve
from daemon.outbound.urls import Target, follow

MOST_REDIRECTS = 5
_PASSING = (408, 425, 429)
_REDIRECTS = (301, 302, 303, 307, 308)

# They write down whole URLs and headers, which hold secrets.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class BrokenAnswer(NotReached):
    """What comes is not HTTP, or ends before it is complete."""

    code = "broken_answer"


class Refused(VixError):
    """The server answers, but not with what was asked for. `permanent`: it will not do so later either."""

    code = "refused"

    def __init__(self, status: int) -> None:
        self.status = status
        self.permanent = status not in _PASSING and status < 500
        super().__init__(f"The server answered {status}.")


class TooLarge(VixError):
    """It is longer than it may be."""

    code = "too_large"
    permanent = True

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"It is larger than the {most_bytes} bytes that are allowed.")


class TooManyRedirects(VixError):
    """It leads on and on."""

    code = "too_many_redirects"
    permanent = True

    def __init__(self, most: int) -> None:
        super().__init__(f"It redirects more than {most} times." if most else "It redirects, which is not followed.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `headers` have lower-case names. `body` is as much of it as was asked for and came in time."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is not held in memory: so many bytes, in pieces."""

    size: int
    pieces: Iterable[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """A body of fields and files: `files` are name -> (file name, content, media type). Without files it is sent as
    `application/x-www-form-urlencoded`, else as `multipart/form-data`. What can be read is not held in memory."""

    fields: Mapping[str, str] = field(repr=False)
    files: Mapping[str, tuple[str, bytes | RawIOBase, str]] = field(default_factory=dict, repr=False)


Body = bytes | Stream | Form | None


class Outbound:
    """Calls what others name. `guard` says what may be called, `resolve` what a name means, `trust` whose certificates
    are good: by default the system's and Mozilla's."""

    def __init__(
        self, guard: Guard, *, resolve: Resolve = resolve, trust: ssl.SSLContext | None = None, agent: str = "Vix"
    ) -> None:
        self._guard = guard
        self._resolve = resolve
        self._trust = trust
        self._agent = agent

    def post(
        self, target: Target, body: bytes, headers: Mapping[str, str], *, total_s: float, most_bytes: int
    ) -> Answer:
        """Post a body and read up to `most_bytes` of the answer, following no redirect.

        Once the status is known, it counts, whatever becomes of the rest.

        Raises:
            UrlRefused, NotReached: there was no answer.
        """
        return self.send("POST", target, body, headers, Deadline(total_s, total_s), most_bytes=most_bytes)

    def send(
        self,
        method: str,
        target: Target,
        body: Body,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        most_bytes: int,
    ) -> Answer:
        """Send a request and read up to `most_bytes` of the answer, following no redirect.

        Once the status is known, it counts, whatever becomes of the rest.

        Raises:
            UrlRefused, NotReached: there was no answer.
        """
        with self._exchange(method, target, headers, body, deadline) as response:
            read = bytearray()
            try:
                for piece in response.iter_raw():
                    read += piece
                    if len(read) >= most_bytes:
                        break
            except NotReached:
                pass
            return Answer(response.status_code, dict(response.headers), bytes(read[:most_bytes]))

    @contextmanager
    def get(self, target: Target, deadline: Deadline, most_redirects: int = MOST_REDIRECTS) -> Iterator[httpx.Response]:
        """Ask for something, following redirects, each checked like the first. The body is there to be read.

        Raises:
            UrlRefused, NotReached, Refused, TooManyRedirects: it is not to be had.
        """
        for _ in range(most_redirects + 1):
            with self._exchange("GET", target, {}, None, deadline) as response:
                if response.status_code not in _REDIRECTS:
                    if response.status_code != 200:
                        raise Refused(response.status_code)
                    yield response
                    return
                target = follow(target, response.headers.get("location", ""))
        raise TooManyRedirects(most_redirects)

    @contextmanager
    def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], body: Body, deadline: Deadline
    ) -> Iterator[httpx.Response]:
        """Send a request over a connection of its own; the answer's head is there, its body is not."""
        backend = Backend(self._guard, self._resolve, deadline)
        trust = (self._trust or _trust()) if target.scheme == "https" else None
        all_headers = httpx.Headers({"User-Agent": self._agent, "Accept": "*/*", **headers})
        all_headers.update({"Host": target.authority, "Accept-Encoding": "identity", "Connection": "close"})
        request = httpx.Request(
            method,
            httpx.URL(scheme=target.scheme, host=target.host, port=target.port),
            headers=all_headers,
            extensions={"target": target.path.encode("ascii")},
            **_content(body, all_headers),
        )
        # Not through httpx.Client: it has its own idea of redirects, cookies and proxies.
        with _translated(), _Transport(backend, trust) as transport:
            response = transport.handle_request(request)
            try:
                yield response
            finally:
                response.close()


def _content(body: Body, headers: httpx.Headers) -> dict[str, Any]:
    """How httpx wants a body; the length of a stream goes into the headers."""
    if isinstance(body, Form):
        return {"data": dict(body.fields), "files": dict(body.files) or None}
    if isinstance(body, Stream):
        headers["Content-Length"] = str(body.size)
        return {"content": body.pieces}
    return {"content": body}


class _Transport(httpx.BaseTransport):
    """httpx over httpcore with connections of our own; unlike httpx's, it sends the target as it was given."""

    def __init__(self, backend: httpcore.NetworkBackend, trust: ssl.SSLContext | None) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=trust, network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.extensions["target"],
                ),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpcore.ProtocolError, httpcore.NetworkError, httpx.HTTPError, httpx.InvalidURL) as exc:
        # What they say may hold parts of what was sent.
        raise BrokenAnswer("The connection broke, or the answer was not HTTP.") from exc
    except httpcore.TimeoutException as exc:
        raise TooSlow("It took too long.") from exc


@cache
def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
