"""The doors of the service as a table, and the application made of them. Knows who may pass, not what lies behind."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.web import download, errors, generate, health, library, status
from daemon.web.access import presented_key
from daemon.web.call import Call, Handler
from daemon.web.services import Services

# SQLite writes one at a time and answers in milliseconds: more threads would only queue elsewhere.
THREADS = 8


@dataclass(frozen=True, slots=True)
class Door:
    """One way in. It asks for a key unless it says otherwise."""

    method: str
    path: str
    handler: Handler
    public: bool = False


DOORS = (
    Door("GET", "/", health.index, public=True),
    Door("GET", "/health", health.health, public=True),
    Door("POST", "/v1/generate", generate.generate),
    Door("GET", "/v1/status/{job_id}", status.status),
    Door("GET", "/v1/download/{name}", download.download),
    Door("GET", "/v1/styles", library.styles),
    Door("GET", "/v1/audio", library.audio),
)


def create_app(services: Services) -> Starlette:
    """Build the application on what it is given."""
    stopping = threading.Event()
    threads = anyio.CapacityLimiter(THREADS)
    app = Starlette(
        routes=[
            Route(door.path, _endpoint(door, services, threads, stopping), methods=[door.method]) for door in DOORS
        ],
        exception_handlers=dict.fromkeys(errors.RULES, errors.answer),
    )
    # A redirect would be built from the Host header, which anybody can write.
    app.router.redirect_slashes = False
    app.state.stopping = stopping
    return app


def stop_waiting(app: Starlette) -> None:
    """Let requests that wait for a job answer now."""
    app.state.stopping.set()


def _endpoint(
    door: Door, services: Services, threads: anyio.CapacityLimiter, stopping: threading.Event
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = Call(request, services, threads, stopping)
        if not door.public:
            presented = presented_key(request.headers)
            key = await call.blocking(services.keys.verify, presented)
            call = replace(call, key_id=key.id)
        return await door.handler(call)

    return endpoint
