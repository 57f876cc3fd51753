"""`POST /v1/generate`: a template film is asked for, checked whole, stored, and the worker is woken."""

from __future__ import annotations

import logging
import secrets

from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon.jobs import Job, NewJob
from daemon.kinds import KINDS
from daemon.web.answers import Answer
from daemon.web.bodies import parse_body, read_body
from daemon.web.call import Call
from daemon.web.describe import Outlook, describe, outlook
from daemon.web.services import Services
from render.errors import FieldProblem, SpecError
from render.problems import field_path

KIND = "template"
_SEEDS = 2**32
_log = logging.getLogger(__name__)


async def generate(call: Call) -> Response:
    """Answer 202 once the job is on disk; the worker is woken after that."""
    _refuse_parameters(call)
    raw = await read_body(call.request)
    job, where = await call.blocking(_submit, call.services, call.key_id, raw)
    links = call.links
    ring = BackgroundTask(call.blocking, call.services.ring, job.id)
    return Answer(describe(job, where, links), 202, {"location": links.status(job.id)}, background=ring)


def _refuse_parameters(call: Call) -> None:
    """Refuse what would be ignored: whoever asks for something else must not get a film.

    Raises:
        SpecError: naming each parameter of the URL.
    """
    hint = "is not a parameter of this path; a film is asked for in the body alone"
    if names := dict.fromkeys(call.request.query_params):
        raise SpecError([FieldProblem(field_path([name]), hint, "string") for name in names])


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
            fps=spec.output.fps,
            quality=spec.output.quality,
            client_data=spec.client_data,
        )
    )
    return job, _outlook(services, job)


def _outlook(services: Services, job: Job) -> Outlook:
    """Say where the job stands, or that this is not known: the job is stored, and an error would have it sent again."""
    try:
        return outlook(services.jobs, job)
    except Exception as exc:
        _log.error("A new job's place is not known.", exc_info=exc, extra={"action": "no_outlook", "job": job.id})
        return Outlook(None, None)
