"""`POST /v1/generate`: a template film is asked for, checked whole, stored, and the worker is woken."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon import failpoints
from daemon.describe import Outlook, describe, outlook
from daemon.errors import UrlRefused
from daemon.jobs import Job
from daemon.kinds import KINDS
from daemon.orders import CALLBACK_FIELDS, new_job
from daemon.web import parameters
from daemon.web.answers import Answer
from daemon.web.bodies import Body, parse_body, read_body
from daemon.web.call import Call
from daemon.web.dry_run import try_out
from daemon.web.repeats import REPLAYED, repeat, repeat_word
from daemon.web.services import Services
from render.errors import FieldProblem, SpecError

KIND = "template"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A job, and what its request is answered with."""

    job: Job
    answer: dict[str, Any]
    repeated: bool


async def generate(call: Call) -> Response:
    """Answer 202 once the job is on disk; the worker is woken after that. `?dry_run=1` stores nothing."""
    is_dry = parameters.read(call, {"dry_run": parameters.switch}).get("dry_run", False)
    word = repeat_word(call.request.headers)
    raw = await read_body(call.request)
    if is_dry:
        call.services.dry_runs.take(call.key_id, call.services.now())
        return Answer(await call.blocking(_try_out, call.services, call.key_id, raw))
    accepted = await call.blocking(_submit, call, raw, word)
    headers = {"location": accepted.answer["status_url"]}
    if accepted.repeated:
        return Answer(accepted.answer, 202, headers | {REPLAYED: "true"})
    ring = BackgroundTask(call.blocking, _ring, call.services, accepted.job.id)
    return Answer(accepted.answer, 202, headers, background=ring)


def _ring(services: Services, job_id: str) -> None:
    services.ring(job_id)
    failpoints.reach("ring_done")


def _try_out(services: Services, key_id: str, raw: bytes) -> dict[str, Any]:
    body = parse_body(raw)
    spec = checked(services, body)
    services.publishing.deliveries(spec.publish, body.value, key_id)
    return try_out(services, KIND, body.value, spec)


def checked(services: Services, body: Body) -> Any:
    """Read the request as its kind does, and see whether its callback may be sent.

    Raises:
        SpecError: with every wrong field.
    """
    spec = body.parse_with(lambda data: KINDS[KIND].read(data, services.library, services.fonts))
    if spec.callback_url is not None:
        try:
            services.check_url(spec.callback_url)
        except UrlRefused as exc:
            field = next(name for name in CALLBACK_FIELDS if name in body.value)
            raise SpecError([FieldProblem(field, str(exc), "string")]) from None
    return spec


def _submit(call: Call, raw: bytes, word: str | None) -> _Accepted:
    """Check the request and store it, or find the job that the same request made before: then it was checked before,
    and what has changed since does not matter.

    Raises:
        NotJson, SpecError: as `parse_body` and the kind's `read` do.
        RepeatMismatch, TooManyRequests: as the store does.
    """
    services = call.services
    body = parse_body(raw)
    known_by = repeat(word, call.request.scope["path"], body.value)
    submitted = services.jobs.submitted(call.key_id, known_by) if known_by else None
    if submitted is None:
        spec = checked(services, body)
        new = new_job(
            KIND,
            body.value,
            spec,
            key_id=call.key_id,
            base_url=call.links.base,
            fonts=services.fonts,
            publishing=services.publishing,
        )
        submitted = services.jobs.submit(new, limits=call.limits, repeat=known_by)
    failpoints.reach("submit_committed")
    if submitted.answer is not None:
        return _Accepted(submitted.job, submitted.answer, submitted.repeated)
    answer = describe(submitted.job, outlook_of(services, submitted.job), call.links)
    if word is not None:
        _remember(services, submitted.job, word, answer)
    return _Accepted(submitted.job, answer, submitted.repeated)


def outlook_of(services: Services, job: Job) -> Outlook:
    """Say where the job stands, or that this is not known: the job is stored, and an error would have it sent again."""
    try:
        return outlook(services.views, job)
    except Exception as exc:
        _log.error("A new job's place is not known.", exc_info=exc, extra={"action": "no_outlook", "job": job.id})
        return Outlook(None, None)


def _remember(services: Services, job: Job, word: str, answer: dict[str, Any]) -> None:
    """Keep the answer for a request that comes again; without it, that one is told how the job is doing then."""
    try:
        services.jobs.remember_answer(job.key_id, word, answer)
    except Exception as exc:
        _log.error("An answer is not kept.", exc_info=exc, extra={"action": "answer_not_kept", "job": job.id})
