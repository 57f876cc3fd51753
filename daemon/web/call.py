"""One request on its way through a handler: who sent it and what it may use. Knows no route and no answer."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response

from daemon.web.links import Links, links_for
from daemon.web.services import Services

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler is given. `key_id` is empty behind a public door, which no job belongs to."""

    request: Request
    services: Services
    threads: anyio.CapacityLimiter
    stopping: threading.Event
    key_id: str = ""

    @property
    def links(self) -> Links:
        return links_for(self.request.scope, self.services.public_url)

    async def blocking(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks (database, disk, long computations) in one of a few threads."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.threads)


Handler = Callable[[Call], Awaitable[Response]]
