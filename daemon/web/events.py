"""`GET /v1/jobs/{job_id}/events`: what happened to a job, as a list, or as a stream until it has ended.

The stream is that of the HTML standard, section 9.2 (server-sent events). Nothing is held while nothing happens: no
thread, no connection of the database.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from daemon.errors import StoreError, TooManyRequests, UnknownJob
from daemon.jobs import Event, Job
from daemon.web import held, parameters
from daemon.web.answers import listing
from daemon.web.call import Call

MOST = 500
STREAM_TYPE = "text/event-stream"
_RETRY_MS = 2000
_FULL_S = 30
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a stream looks, how often it says that it is still there, and how long it lasts: a client comes back
    by itself with the id of its last event, and meanwhile its key may have been revoked."""

    look_every_s: float = 0.5
    comment_every_s: float = 15.0
    longest_s: float = 900.0


async def events(call: Call) -> Response:
    """Answer with a list, or with a stream where Accept asks for one.

    A stream that has nothing more to tell is answered 204, which ends a browser's reconnecting.

    Raises:
        TooManyRequests: the key has as many answers held already as it may.
    """
    job_id = parameters.job_id(call)
    asked = parameters.read(
        call, {"after": parameters.whole(0, parameters.LARGEST), "limit": parameters.whole(1, MOST)}
    )
    after, limit = asked.get("after", 0), asked.get("limit", MOST)
    job = await call.blocking(call.services.jobs.get, job_id, call.key_id)
    if not _wants_stream(call):
        found = await call.blocking(call.services.events.after, job_id, after, limit)
        return listing([_plain(event) for event in found], _next(call, found, limit))
    after = _last_id(call) or after
    if job.status.is_final and not await call.blocking(call.services.events.after, job_id, after, 1):
        return Response(status_code=204, headers={"cache-control": "no-store"})
    if call.request.method == "HEAD":
        return _head()
    if not call.held.take(call.key_id):
        raise TooManyRequests("streams", f"A key may have {held.MOST} answers held open at once.", _FULL_S)
    return _Stream(call, stream(call, job_id, after, Pace()))


class _Stream(StreamingResponse):
    """A stream that gives its place back at its end, whatever that is."""

    def __init__(self, call: Call, content: AsyncIterator[str]) -> None:
        self._call = call
        super().__init__(content, media_type=STREAM_TYPE, headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._call.held.give_back(self._call.key_id)


def _head() -> Response:
    """What a stream begins with; how long it would be, nobody knows."""
    response = Response(media_type=STREAM_TYPE, headers=_HEADERS)
    del response.headers["content-length"]
    return response


def _wants_stream(call: Call) -> bool:
    ranges = ",".join(call.request.headers.getlist("accept")).lower().split(",")
    return any(item.partition(";")[0].strip() == STREAM_TYPE for item in ranges)


def _last_id(call: Call) -> int:
    """Where a client that lost its connection goes on; an id that is none of ours is as good as none."""
    text = call.request.headers.get("last-event-id", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(parameters.LARGEST)) else 0
    return number if number <= parameters.LARGEST else 0


async def stream(call: Call, job_id: str, after: int, pace: Pace) -> AsyncIterator[str]:
    """Write events as they happen, and between them how far the job is, which has no id as it is not kept.

    Ends with the job, and where the client is to come back: after a while, when the server stops, when the database
    cannot be read.
    """
    yield f"retry: {_RETRY_MS}\n\n"
    ends_at = anyio.current_time() + pace.longest_s
    said_at, progress = anyio.current_time(), ""
    while not call.stopping.is_set() and anyio.current_time() < ends_at:
        try:
            # In this order: a job that has ended by now has its last event among those read after it.
            job = await call.blocking(call.services.jobs.get, job_id, call.key_id)
            found = await call.blocking(call.services.events.after, job_id, after, MOST)
        except (StoreError, UnknownJob):
            return
        lines = [_lines(_plain(event), event.type, event.seq) for event in found]
        after = found[-1].seq if found else after
        if not job.status.is_final and _progress(job) != progress:
            progress = _progress(job)
            lines.append(progress)
        if not lines and anyio.current_time() - said_at >= pace.comment_every_s:
            lines = [": still there\n\n"]
        if lines:
            yield "".join(lines)
            said_at = anyio.current_time()
        if (job.status.is_final and len(found) < MOST) or await call.request.is_disconnected():
            return
        await anyio.sleep(pace.look_every_s)


def _progress(job: Job) -> str:
    return _lines({"status": job.status, "stage": job.stage, "progress": job.progress}, "job.progress")


def _lines(data: dict[str, Any], name: str, seq: int | None = None) -> str:
    head = f"id: {seq}\n" if seq is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _plain(event: Event) -> dict[str, Any]:
    return {
        "id": event.seq,
        "type": event.type,
        "level": event.level,
        "message": event.message,
        "payload": event.payload,
        "timestamp": _time(event.at),
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _next(call: Call, found: list[Event], limit: int) -> str | None:
    """The address of the events after these, where there may be some already."""
    if len(found) < limit:
        return None
    return f"{call.links.base}{call.request.scope['path']}?after={found[-1].seq}&limit={limit}"
