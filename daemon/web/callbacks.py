"""`/v1/jobs/{job_id}/callbacks`: who was told about a job, what they answered, and telling them once more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon.errors import NoCallbacks
from daemon.outbound.urls import without_secrets
from daemon.store.callbacks import Callback, State, Try
from daemon.web import parameters
from daemon.web.answers import Answer, listing
from daemon.web.call import Call


async def callbacks(call: Call) -> Response:
    """Answer with the callbacks about a job, the oldest first; query and headers of a URL are secrets and not shown."""
    job_id = parameters.job_id(call)
    parameters.read(call, {})
    return listing([_described(*found) for found in await call.blocking(_found, call, job_id)])


async def redeliver(call: Call) -> Response:
    """Send the callbacks about a job's present end again, each under its id, whatever came of them before."""
    job_id = parameters.job_id(call)
    count = await call.blocking(_again, call, job_id)
    ring = BackgroundTask(call.blocking, call.services.ring, job_id)
    return Answer({"job_id": job_id, "callbacks": count}, 202, background=ring)


def _found(call: Call, job_id: str) -> list[tuple[Callback, list[Try]]]:
    call.services.jobs.get(job_id, call.key_id)  # somebody else's job is not there
    return call.services.callbacks.of_job(job_id, call.key_id)


def _again(call: Call, job_id: str) -> int:
    services = call.services
    job = services.jobs.get(job_id, call.key_id)
    if job.finished_at is None or not services.callbacks.of_job(job_id, call.key_id):
        raise NoCallbacks
    services.redeliveries.take(job_id, services.now())
    count = services.callbacks.redeliver(job_id, call.key_id)
    if not count:
        raise NoCallbacks
    return count


def _described(callback: Callback, tries: list[Try]) -> dict[str, Any]:
    return {
        "id": callback.id,
        "type": callback.type,
        "url": without_secrets(callback.url),
        "state": callback.state,
        "next_try_at": _time(callback.next_at if callback.state is State.READY else None),
        "created_at": _time(callback.created_at),
        "ended_at": _time(callback.ended_at),
        "tries": [
            {"at": _time(one.at), "status": one.status, "message": one.message, "took_ms": one.took_ms} for one in tries
        ],
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
