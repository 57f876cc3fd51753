"""A receiver of callbacks that answers as n8n was seen to: 409 before its Wait node is ready, 404 in HTML and refused
connections while it restarts, 500 when it is told twice at a time, 409 when it was told before, 401 for a bad link."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What is answered, after `after_s`."""

    status: int
    body: str
    type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0


def _json(status: int, **members: object) -> Reply:
    return Reply(status, json.dumps(members))


RUNNING_ALREADY = _json(409, code=409, message='The execution "7" is running already.')
NOT_MOUNTED = Reply(404, "<pre>Cannot POST /webhook-waiting/38</pre>", "text/html; charset=utf-8")
TWICE_AT_A_TIME = _json(500, code=0, message="There was a problem executing the workflow")
FINISHED_ALREADY = _json(409, code=409, message='The execution "7" has finished already.')
INVALID_TOKEN = _json(401, error="Invalid token")
STARTED = _json(200, message="Workflow was started")


@dataclass(frozen=True)
class Heard:
    """One request as it came: the target byte for byte, headers with lower-case names."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class N8n:
    """A receiver at `url`, which answers what `replies` says, the last one again and again."""

    replies: list[Reply] = field(default_factory=lambda: [STARTED])
    heard: list[Heard] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    most_at_a_time: int = 0
    connections: int = 0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Listen, at the port it had before if it had one."""
        handler = type("Handler", (_Handler,), {"n8n": self})
        self._server = _Server((self.host, self.port), handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more: who calls is refused."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def begin(self, heard: Heard) -> Reply:
        with self._lock:
            self.heard.append(heard)
            self._under_way += 1
            self.most_at_a_time = max(self.most_at_a_time, self._under_way)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def end(self) -> None:
        with self._lock:
            self._under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up early is no error here."""


class _Handler(BaseHTTPRequestHandler):
    n8n: N8n

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.n8n.begin(Heard(self.requestline.split(" ")[1], headers, body))
        try:
            time.sleep(reply.after_s)
            raw = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("content-type", reply.type)
            self.send_header("content-length", str(len(raw)))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
        finally:
            self.n8n.end()

    def setup(self) -> None:
        self.n8n.connections += 1
        super().setup()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def n8n(*replies: Reply, host: str = "127.0.0.1") -> Iterator[N8n]:
    """A running receiver."""
    server = N8n(list(replies or [STARTED]), host=host)
    server.start()
    try:
        yield server
    finally:
        server.stop()
