"""Runs the application under uvicorn, in this process. Knows sockets and signals, and nothing of what is served."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from socket import AF_UNIX, socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from daemon.web.app import stop_waiting
from daemon.web.connection import USUAL, Patience, patient
from daemon.web.listeners import listener

STOP_S = 5
BEAT_EVERY_S = 1.0


class WebServer(uvicorn.Server):
    """A server with its socket already bound, so that the port is known and a taken one is an OSError.

    `should_exit = True` from any thread ends `run()`. `beat` is called every second for as long as requests are
    answered, from the loop that answers them.
    """

    def __init__(
        self,
        app: Starlette,
        listener: socket,
        on_ready: Callable[[str], None] | None = None,
        patience: Patience = USUAL,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self.app = app
        self.on_ready = on_ready
        self._beat = beat
        self._beat_at = 0.0
        self._listener = listener
        super().__init__(_config(app, patience))

    @property
    def url(self) -> str:
        """The address to reach the server at from this machine; `unix:` and the path where that is a socket's."""
        if self._listener.family == AF_UNIX:
            return f"unix:{self._listener.getsockname()}"
        host, port = self._listener.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gently, and at once on a second signal. Unlike uvicorn's own, the signal is not raised again at the end:
        `run()` returns, and its caller decides what the process ends with."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until a signal comes or `should_exit` is set."""
        super().run([self._listener, *(sockets or [])])

    async def startup(self, sockets: list[socket] | None = None) -> None:
        url = self.url
        await super().startup(sockets)
        if self.on_ready is not None:
            self.on_ready(url)

    async def on_tick(self, counter: int) -> bool:
        if self._beat is not None and time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + BEAT_EVERY_S
            self._beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        # Requests that wait for a job would hold the server until the end of its patience.
        stop_waiting(self.app)
        await super().shutdown(sockets)


def serve(app: Starlette, host: str, port: int, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve on an address until SIGTERM or SIGINT.

    Raises:
        OSError: the address cannot be listened on.
    """
    bound_server(app, host, port, on_ready).run()


def bound_server(
    app: Starlette,
    host: str,
    port: int,
    on_ready: Callable[[str], None] | None = None,
    patience: Patience = USUAL,
) -> WebServer:
    """Bind the address and return the server, ready to `run()` in any thread; port 0 takes any free one. `on_ready` is
    told the URL once requests are answered.

    Raises:
        OSError: the address cannot be listened on.
    """
    return WebServer(app, listener(host, port), on_ready, patience)


def _config(app: Starlette, patience: Patience) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=patient(replace(patience, exempt=(*patience.exempt, *app.state.trusted_proxies.networks))),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `daemon.web.client` believes proxies that were named, and no others
        timeout_keep_alive=patience.idle_s,
        timeout_graceful_shutdown=STOP_S,
    )
