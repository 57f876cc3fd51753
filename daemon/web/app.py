"""The application, made of the table of doors. Knows who may pass, not what lies behind."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.errors import MissingScope, TooManyRequests, VixError
from daemon.store.keys import Key
from daemon.web import errors
from daemon.web.access import SUBMIT, Kind
from daemon.web.audit import audited
from daemon.web.call import Call
from daemon.web.client import client_of
from daemon.web.door import Door
from daemon.web.doors import DOORS
from daemon.web.guard import Guard
from daemon.web.held import Held
from daemon.web.ratelimit import rate_headers
from daemon.web.services import Services
from daemon.web.throttle import Throttle

# SQLite writes one at a time and answers in milliseconds: more threads would only queue elsewhere.
THREADS = 8
FAR_THREADS = 2


def create_app(services: Services, throttle: Throttle | None = None) -> Starlette:
    """Build the application on what it is given; `throttle` holds back who guesses keys."""
    house = _House(
        services, Guard(services.access, throttle or Throttle()), anyio.CapacityLimiter(THREADS), threading.Event()
    )
    app = Starlette(
        routes=[
            Route(path, _endpoint(doors, house), methods=[door.method for door in doors])
            for path, doors in _by_path(doors_of(services)).items()
        ],
        exception_handlers=dict.fromkeys(errors.RULES, errors.answer),
    )
    # A redirect would be built from the Host header, which anybody can write.
    app.router.redirect_slashes = False
    app.state.stopping = house.stopping
    app.state.trusted_proxies = services.access.trusted_proxies
    return app


def doors_of(services: Services) -> tuple[Door, ...]:
    """The doors that there are: without a master key none that it would open."""
    return tuple(door for door in DOORS if services.access.master_key or not door.access.of_operator)


def stop_waiting(app: Starlette) -> None:
    """Let requests that wait for a job answer now."""
    app.state.stopping.set()


@dataclass(frozen=True, slots=True)
class _House:
    services: Services
    guard: Guard
    threads: anyio.CapacityLimiter
    stopping: threading.Event
    held: Held = field(default_factory=Held)
    far_threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(FAR_THREADS))


def _by_path(doors: Sequence[Door]) -> dict[str, list[Door]]:
    """All methods of one path together, so that a 405 names them all."""
    paths: dict[str, list[Door]] = {}
    for door in doors:
        paths.setdefault(door.path, []).append(door)
    return paths


def _endpoint(doors: Sequence[Door], house: _House) -> Callable[[Request], Awaitable[Response]]:
    by_method = {door.method: door for door in doors}
    by_method |= {"HEAD": by_method["GET"]} if "GET" in by_method else {}

    async def endpoint(request: Request) -> Response:
        client = client_of(request.scope, house.services.access.trusted_proxies)
        request.scope["scheme"] = client.scheme
        call = Call(
            request, house.services, house.threads, house.stopping, house.held, client, far_threads=house.far_threads
        )
        try:
            return await _answer(by_method[request.method], call, house.guard)
        except TooManyRequests as exc:
            house.services.refusals[exc.limit] += 1
            raise

    return endpoint


async def _answer(door: Door, call: Call, guard: Guard) -> Response:
    """Ask for what opens the door, then let its handler answer."""
    kind = door.access.kind
    if kind is Kind.NOTHING:
        return await door.handler(call)
    if kind is Kind.MASTER:
        return await audited(call, guard, guard.master, door.handler)
    if kind is Kind.RETURN:
        response = await audited(call, guard, guard.listed, door.handler)
        guard.returned(call, response.status_code)
        return response
    if kind is Kind.KEY_OR_LINK and guard.is_by_link(call):
        return await door.handler(await guard.link(call))
    key = await guard.key(call)
    response = await _with_key(door, replace(call, key_id=key.id, limits=key.limits), key)
    if not call.services.keys.is_use_noted(key):
        tasks = [task for task in (response.background,) if task]
        response.background = BackgroundTasks([*tasks, BackgroundTask(guard.note_use, call, key)])
    return response


async def _with_key(door: Door, call: Call, key: Key) -> Response:
    """Answer with the caller's limits in the headers, also of an error.

    Raises:
        MissingScope: the key is good, but not for this door.
    """
    headers = errors.headers_of(call.request)
    headers.update(rate_headers(key, call.services.now()))
    if door.access.scope not in key.scopes:
        raise MissingScope(door.access.scope)
    try:
        response = await door.handler(call)
    finally:
        if door.access == SUBMIT:
            headers.update(rate_headers(await _as_it_is_now(call, key), call.services.now()))
    response.headers.update(headers)
    return response


async def _as_it_is_now(call: Call, key: Key) -> Key:
    """The key with what its request has used up; as it was before where that cannot be read, as the job is stored."""
    try:
        return await call.blocking(call.services.keys.get, key.id)
    except VixError:
        return key
