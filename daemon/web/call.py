"""One request on its way through a handler: who sent it and what it may use. Knows no route and no answer."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response

from daemon.jobs import Limits
from daemon.links import Links, Signing
from daemon.web.client import NOWHERE, Client
from daemon.web.held import Held
from daemon.web.links import links_for
from daemon.web.services import Services

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler is given. `key_id` and `limits` are the caller's, empty where no key was asked for: then no job
    belongs to it.

    `by_link`: a signed link has opened this door, which says what may be read instead of a key. `held` counts the
    answers that are held back, of all calls.
    """

    request: Request
    services: Services
    threads: anyio.CapacityLimiter
    stopping: threading.Event
    held: Held = field(default_factory=Held)
    client: Client = NOWHERE
    key_id: str = ""
    limits: Limits = field(default_factory=Limits)
    by_link: bool = False
    far_threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    @property
    def reads_jobs_of(self) -> str | None:
        """Whose jobs may be read; None: anybody's, as the link says which."""
        return None if self.by_link else self.key_id

    @property
    def links(self) -> Links:
        services = self.services
        signing = Signing(services.signer, services.now() + services.signed_for)
        return replace(links_for(self.request.scope, services.public_url), signing=signing)

    async def blocking(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks (database, disk, long computations) in one of a few threads."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.threads)

    async def far(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what waits for other servers in threads of its own, so that it holds up nothing that does not."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.far_threads)


Handler = Callable[[Call], Awaitable[Response]]
