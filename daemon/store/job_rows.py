"""From a row of the jobs table to a Job. Asks the database nothing."""

from __future__ import annotations

from typing import Any

from daemon.deliveries.life import Delivery
from daemon.jobs import CallbackTo, Failure, Job, Status


def read_job(row: Any, deliveries: tuple[Delivery, ...] = ()) -> Job:
    """Turn a whole row into the job that it stores; its deliveries are rows of their own."""
    return Job(
        id=row.id,
        kind=row.kind,
        spec=row.spec,
        seed=row.seed,
        key_id=row.key_id,
        status=Status(row.status),
        stage=row.stage,
        progress=row.progress,
        attempt=row.attempt,
        owner=row.owner,
        error=Failure(**row.error) if row.error else None,
        result=row.result,
        warnings=tuple(row.warnings),
        client_data=row.client_data,
        film_s=row.film_s,
        work=row.work,
        priority=-row.rank,
        callback=CallbackTo(**row.callback) if row.callback else None,
        base_url=row.base_url,
        film=row.film,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        deliveries=deliveries,
    )
