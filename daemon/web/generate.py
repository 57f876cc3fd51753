"""`POST /v1/generate`: a template film is asked for, checked whole, stored, and the worker is woken."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from daemon.jobs import Job, NewJob
from daemon.kinds import KINDS
from daemon.web.answers import Answer
from daemon.web.bodies import parse_body, read_body
from daemon.web.call import Call
from daemon.web.describe import Outlook, describe, outlook
from daemon.web.services import Services

KIND = "template"
_SEEDS = 2**32


async def generate(call: Call) -> Response:
    """Answer 202 once the job is on disk."""
    raw = await read_body(call.request)
    job, where = await call.blocking(_submit, call.services, call.key_id, raw)
    links = call.links
    return Answer(describe(job, where, links), 202, {"location": links.status(job.id)})


def _submit(services: Services, key_id: str, raw: bytes) -> tuple[Job, Outlook]:
    """Check the request and store it.

    Raises:
        NotJson, SpecError: as `parse_body` and the kind's `read` do.
    """
    body = parse_body(raw)
    spec = body.parse_with(lambda data: KINDS[KIND].read(data, services.library, services.fonts))
    job = services.jobs.submit(
        NewJob(
            kind=KIND,
            spec=body.value,
            seed=secrets.randbelow(_SEEDS) if spec.seed is None else spec.seed,
            key_id=key_id,
            film_s=spec.video.duration,
            pixels=spec.output.width * spec.output.height,
            client_data=spec.client_data,
        )
    )
    services.ring(job.id)
    return job, outlook(services.jobs, job)
