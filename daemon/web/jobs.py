"""`/v1/jobs`: the list of a key's jobs, and what can be done to one of them."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon import failpoints
from daemon.describe import Outlook, describe, outlook
from daemon.jobs import Job, Status
from daemon.kinds import KINDS
from daemon.store.views import Page
from daemon.web import parameters
from daemon.web.answers import Answer, listing
from daemon.web.call import Call

MOST = 100
USUAL = 20


async def jobs(call: Call) -> Response:
    """Answer with a page of the key's jobs."""
    page = await page_of(call, call.key_id)
    return listing([listed(call, job) for job in page.jobs], following(call, page.next))


async def page_of(call: Call, key_id: str | None) -> Page:
    """Read the page that is asked for of one key's jobs, or of all for None, the newest first."""
    readers = {
        "status": _statuses,
        "kind": parameters.one_of(*KINDS),
        "limit": parameters.whole(1, MOST),
        "cursor": before,
    }
    asked = parameters.read(call, readers)
    return await call.blocking(
        call.services.views.page,
        key_id,
        statuses=asked.get("status", ()),
        kind=asked.get("kind"),
        limit=asked.get("limit", USUAL),
        before=asked.get("cursor"),
    )


def listed(call: Call, job: Job) -> dict[str, Any]:
    """Write a job as lists have it; places in the queue are told by each job's own status alone."""
    return describe(job, Outlook(None, 0.0 if job.status.is_final else None), call.links)


async def cancel(call: Call) -> Response:
    """Cancel a job that waits or is being made; once more is no error."""
    job = await call.blocking(call.services.jobs.cancel, parameters.job_id(call), call.key_id)
    failpoints.reach("cancel_committed")
    return Answer(await _described(call, job))


async def retry(call: Call) -> Response:
    """Put a failed job back in the queue; it counts against the key's limits as a new one does."""
    job = await call.blocking(call.services.jobs.retry, parameters.job_id(call), call.key_id, limits=call.limits)
    failpoints.reach("retry_committed")
    answer = await _described(call, job)
    ring = BackgroundTask(call.blocking, call.services.ring, job.id)
    return Answer(answer, 202, {"location": answer["status_url"]}, background=ring)


async def _described(call: Call, job: Job) -> dict[str, Any]:
    return describe(job, await call.blocking(outlook, call.services.views, job), call.links)


def _statuses(text: str) -> tuple[Status, ...]:
    """Read one status or several, separated by commas.

    Raises:
        ValueError: one of them is none.
    """
    read = parameters.one_of(*Status)
    return tuple(dict.fromkeys(Status(read(word)) for word in text.split(",")))


def following(call: Call, after: int | None) -> str | None:
    """The address of the page after this one, which begins at a place in the list; None where nothing follows."""
    if after is None:
        return None
    same = [(name, text) for name, text in call.request.query_params.multi_items() if name != "cursor"]
    return f"{call.links.base}{call.request.scope['path']}?{urlencode([*same, ('cursor', cursor(after))])}"


def cursor(before: int) -> str:
    """Write a place in the list so that nobody is tempted to count with it."""
    return base64.urlsafe_b64encode(before.to_bytes(8, "big")).decode().rstrip("=")


def before(text: str) -> int:
    """Read what `cursor` wrote.

    Raises:
        ValueError: somebody else wrote it.
    """
    try:
        raw = base64.b64decode(text + "=", altchars="-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    number = int.from_bytes(raw, "big") if len(raw) == 8 else -1
    if not 0 <= number <= parameters.LARGEST or cursor(number) != text:
        raise ValueError("must be taken from the `next` of the page before")
    return number
