"""`GET /v1/summary`: how the service and a key's films do, as one flat object under 1 kB for sensors, whose states are
short. What is not known is null."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from starlette.responses import Response

from daemon.jobs import Status
from daemon.web import parameters
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.health import examine
from daemon.web.schedules import next_run
from daemon.web.services import Services

# A state of Home Assistant has 255 characters.
_LONGEST_MESSAGE = 200


async def summary(call: Call) -> Response:
    """Answer with the object."""
    parameters.read(call, {})
    return Answer(await call.blocking(_summary, call))


def _summary(call: Call) -> dict[str, Any]:
    services = call.services
    report = examine(services)
    wrong = [check["message"] for check in report["checks"].values() if not check["ok"]] + report["warnings"]
    last = next(iter(services.views.page(call.key_id, statuses=[Status.DONE], limit=1).jobs), None)
    finished_at = last and last.finished_at
    return {
        "status": report["status"],
        "message": wrong[0][:_LONGEST_MESSAGE] if wrong else "",
        "version": services.version,
        "queued": report["queue"]["queued"],
        "rendering": report["queue"]["rendering"],
        "delivering": services.views.delivering(),
        "last_job_id": last and last.id,
        "last_finished_at": finished_at and finished_at.isoformat(timespec="milliseconds"),
        "last_download_url": last and call.links.film(last.id),
        "token_days_left": _days_left(services),
        "next_run_at": _next_run(services, call.key_id),
    }


def _days_left(services: Services) -> float | None:
    """Days until the first token ends, 0 where one has."""
    left = [account.days_left(services.now()) for account in services.accounts.list()]
    return min((days for days in left if days is not None), default=None)


def _next_run(services: Services, key_id: str) -> str | None:
    slots = [next_run(one, services.now()) for one in services.schedules.enabled(key_id)]
    first = min((slot for slot in slots if slot is not None), default=None)
    return first.astimezone(UTC).isoformat() if first else None
