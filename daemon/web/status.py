"""`GET /v1/status/{job_id}`: how a job is doing, now or when it has ended."""

from __future__ import annotations

import math
import re
from contextlib import nullcontext

import anyio
from starlette.responses import Response

from daemon.describe import describe, outlook
from daemon.jobs import Job
from daemon.web import parameters
from daemon.web.answers import Answer
from daemon.web.call import Call
from render.errors import FieldProblem, SpecError

LONGEST_WAIT_S = 60.0
_LOOK_EVERY_S = 0.3
_NUMBER = re.compile(r"(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")


async def status(call: Call) -> Response:
    """Answer with the job; `?wait=30` holds the answer until it ends or the seconds pass, 60 at most. Beyond so many
    held answers of one key the others come at once."""
    job_id = parameters.job_id(call)
    wait_s = _wait_s(call.request.query_params.get("wait", "0"))
    with call.held.one(call.key_id) if wait_s else nullcontext(False) as may_hold:
        job = await _held(call, job_id, wait_s if may_hold else 0.0)
    return Answer(describe(job, await call.blocking(outlook, call.services.views, job), call.links))


async def _held(call: Call, job_id: str, wait_s: float) -> Job:
    """Get the job once it has ended, or the time is up, the client has gone, or the server stops.

    Looks again and again, so that no thread and no connection of the database is held meanwhile.
    """
    until = anyio.current_time() + wait_s
    while True:
        job = await call.blocking(call.services.jobs.get, job_id, call.key_id)
        left_s = until - anyio.current_time()
        if job.status.is_final or left_s <= 0 or call.stopping.is_set() or await call.request.is_disconnected():
            return job
        await anyio.sleep(min(_LOOK_EVERY_S, left_s))


def _wait_s(text: str) -> float:
    """Read how long to wait; more than is allowed is as long as is allowed.

    Raises:
        SpecError: it is no number of seconds.
    """
    if not _NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise SpecError([FieldProblem("wait", "must be a number of seconds such as ?wait=30, up to 60", "string")])
    return min(float(text), LONGEST_WAIT_S)
