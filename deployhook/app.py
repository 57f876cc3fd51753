"""The three doors of the hook and how each error is answered. Knows HTTP, and decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployhook import errors, github
from deployhook.body import Reader
from deployhook.desk import Desk
from deployhook.settings import Settings

WEBHOOK, STATUS, HEALTH = "/deploy/github", "/deploy/status", "/health"
# By the nearest class; `code` and sentence are the exception's own.
STATUSES: dict[type[Exception], int] = {
    ClientDisconnect: 400,
    errors.NotSigned: 401,
    errors.NotAllowed: 401,
    errors.BodyTooSlow: 408,
    errors.BodyTooLarge: 413,
    errors.WrongContentType: 415,
    errors.TooBusy: 503,
    errors.StateUnwritable: 507,
    errors.HookError: 400,
    Exception: 500,
}
# The rest of the body would be read as the next request.
_CLOSES = (errors.BodyTooLarge, errors.BodyTooSlow, errors.TooBusy, errors.WrongContentType)
_FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_LONGEST_INSTANCE = 300
_log = logging.getLogger(__name__)


class Answer(JSONResponse):
    """JSON that is not to be kept by caches."""

    def init_headers(self, headers: dict[str, str] | None = None) -> None:  # type: ignore[override]
        super().init_headers(headers)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-content-type-options", "nosniff")


@dataclass(frozen=True, slots=True)
class Doors:
    """What the doors do for callers."""

    settings: Settings
    desk: Desk
    reader: Reader

    async def webhook(self, request: Request) -> Response:
        """Take a delivery of GitHub: verified before anything of it is parsed."""
        media_type = github.check_content_type(request.headers.get("content-type"))
        body = await self.reader.read(request)
        github.verify(self.settings.secret, body, request.headers.get("x-hub-signature-256"))
        delivery = github.delivery_id(request.headers.get("x-github-delivery"))
        payload = github.parse(body, media_type)
        event = github.read(
            request.headers.get("x-github-event"), payload, self.settings.repository, self.settings.branch
        )
        if isinstance(event, github.Ping):
            return Answer({"status": "pong", "message": "The hook hears this webhook."})
        if isinstance(event, github.Ignored):
            return Answer({"status": "ignored", "message": event.reason})
        known = await asyncio.to_thread(self.desk.hear, delivery, event)
        if known is not None:
            return Answer(
                {"status": known.value, "message": f"This delivery was acted on; its deploy is {known.value}."}
            )
        return Answer({"status": "accepted", "message": f"A deploy of {self.settings.branch} was asked for."}, 202)

    async def status(self, request: Request) -> Response:
        """Tell how deploys went, to who may know."""
        self._check_caller(request)
        return Answer(await asyncio.to_thread(self.desk.report))

    async def health(self, request: Request) -> Response:
        """Say whether pushes are heard. For anybody, so it names no path and no person."""
        report = await asyncio.to_thread(self.desk.health)
        return Answer(report, 200 if report["status"] == "ok" else 503)

    def _check_caller(self, request: Request) -> None:
        token = self.settings.status_token
        if token:
            sent = request.headers.get("authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(sent, f"Bearer {token}".encode()):
                raise errors.NotAllowed("Send the header Authorization: Bearer and the token in VIX_HOOK_STATUS_TOKEN.")
        elif not _is_on_this_machine(request):
            raise errors.NotAllowed("Only callers on this machine get it, as VIX_HOOK_STATUS_TOKEN is not set.")


def build(settings: Settings, desk: Desk, reader: Reader | None = None) -> Starlette:
    """The application; while it runs, missed pushes are looked for."""
    doors = Doors(settings, desk, reader or Reader())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(_look_again_and_again(desk, settings.every_s))
        yield
        looking.cancel()

    routes = [
        Route(WEBHOOK, doors.webhook, methods=["POST"]),
        Route(STATUS, doors.status, methods=["GET"]),
        Route(HEALTH, doors.health, methods=["GET"]),
    ]
    handlers = dict.fromkeys((HTTPException, ClientDisconnect, errors.HookError, Exception), answer)
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)


async def answer(request: Request, exc: Exception) -> Response:
    """Answer a call that ended with an exception, in the shape of RFC 9457 and `message`."""
    status = STATUSES[next(cls for cls in type(exc).__mro__ if cls in STATUSES)]
    sentence, code = str(exc), getattr(exc, "code", "internal")
    headers = {"Connection": "close"} if isinstance(exc, _CLOSES) else {}
    if isinstance(exc, HTTPException):
        status, sentence = exc.status_code, _http_sentence(exc)
        headers |= exc.headers or {}
        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    elif isinstance(exc, ClientDisconnect):
        sentence, code = "The connection ended before the body did; send it again.", "bad_body"
    elif not isinstance(exc, errors.HookError):
        sentence, code = "Something went wrong here that is not the request's fault; the log says what.", "internal"
    if isinstance(exc, errors.NotAllowed):
        headers["WWW-Authenticate"] = 'Bearer realm="vix-hook"'
    if isinstance(exc, errors.TooBusy):
        headers["Retry-After"] = "5"
    members = {
        "type": f"urn:vix:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "instance": quote(request.scope["path"], errors="replace")[:_LONGEST_INSTANCE],
        "message": sentence,
    }
    if status < 500:
        _log.info("Refused with %s: %s", status, code)
    return Answer(members, status, headers)


async def _look_again_and_again(desk: Desk, every_s: float) -> None:
    while True:
        try:
            await asyncio.to_thread(desk.catch_up)
        except Exception:  # nobody would start it again
            _log.exception("A look at the remote failed.")
        await asyncio.sleep(every_s)


def _is_on_this_machine(request: Request) -> bool:
    """A proxy on this machine calls for others; each of its headers says so."""
    if any(name in request.headers for name in _FORWARDING):
        return False
    if request.client is None:
        return True  # by a Unix socket
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return not request.client.host


def _http_sentence(exc: HTTPException) -> str:
    if exc.status_code == 404:
        return f"Nothing is served at this path; GitHub's webhook goes to {WEBHOOK}."
    if exc.status_code == 405:
        return f"This path does not answer this method; use {(exc.headers or {}).get('Allow', 'another one')}."
    return exc.detail
