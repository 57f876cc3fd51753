"""A job as clients see it: the one object that submit and status answer with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.deliveries.life import plain
from daemon.estimate import remaining_s
from daemon.jobs import Failure, Job
from daemon.links import Links
from daemon.store.views import JobViews


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a job stands: its place in the queue (1 is next), and seconds until it has ended; None: not known."""

    queue_position: int | None
    remaining_s: float | None


def outlook(views: JobViews, job: Job) -> Outlook:
    """Ask the store where a job stands."""
    if job.status.is_final:
        return Outlook(None, 0.0)
    line = views.line(job)
    return Outlook(line.position, remaining_s(job, line, views.speeds(50)))


def describe(job: Job, outlook: Outlook, links: Links) -> dict[str, Any]:
    """Write a job as JSON members."""
    return {
        "job_id": job.id,
        "status": job.status,
        "progress": job.progress,
        "queue_position": outlook.queue_position,
        "estimated_time_remaining_s": outlook.remaining_s,
        "stage": job.stage,
        "error": job.error and _error(job.error),
        "result": job.result and _result(job, links),
        "warnings": [*job.warnings, *_account_notes(job)],
        "deliveries": [plain(delivery) for delivery in job.deliveries],
        "client_data": job.client_data,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "status_url": links.status(job.id),
        "download_url": links.film(job.id),
    }


def _account_notes(job: Job) -> list[str]:
    """What is wrong, or soon will be, with the accounts that a job still needs."""
    return list(
        dict.fromkeys(one.account_note for one in job.deliveries if one.account_note and not one.state.is_final)
    )


def _error(failure: Failure) -> dict[str, Any]:
    return {"code": failure.code, "message": failure.message, "permanent": failure.permanent}


def _result(job: Job, links: Links) -> dict[str, Any]:
    film, thumbnail = links.film(job.id), links.thumbnail(job.id)
    # A film that has gone is no use to anybody; its signed links would only be 410.
    is_there = job.film is not None and links.signing is not None
    return {
        "download_url": film,
        "thumbnail_url": thumbnail,
        "signed_download_url": links.signed(film) if is_there else None,
        "signed_thumbnail_url": links.signed(thumbnail) if is_there else None,
        "signed_until": _time(links.signing.until.replace(microsecond=0)) if is_there and links.signing else None,
        **(job.result or {}),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
