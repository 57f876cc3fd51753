"""What the jobs table looks like from outside: lists, places in the queue, counts, speeds. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from daemon.estimate import Line, Running, Speed, work
from daemon.jobs import Job, Status
from daemon.store import delivery_rows
from daemon.store.database import Database
from daemon.store.job_rows import read_job
from daemon.store.tables import JobRow, utc_now


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, the newest first. `next` is the `before` of the page after this one, None where there is none."""

    jobs: tuple[Job, ...]
    next: int | None


class JobViews:
    """Reads over many jobs. `clock` gives aware datetimes.

    Every method may raise what `Database.read` raises.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def waiting(self) -> int:
        """Count the jobs in the queue."""
        return self._count(Status.IN_QUEUE)

    def delivering(self) -> int:
        """Count the jobs whose films are on their way to where they are published."""
        return self._count(Status.DELIVERING)

    def _count(self, status: Status) -> int:
        with self._database.read() as connection:
            count: int = JobRow.select().where(JobRow.status == status).count(connection)
        return count

    def oldest_waiting_at(self) -> datetime | None:
        """When the job came that waits longest; None where none waits."""
        first = JobRow.select(fn.MIN(JobRow.seq)).where(JobRow.status == Status.IN_QUEUE)
        with self._database.read() as connection:
            rows = list(JobRow.select(JobRow.created_at).where(JobRow.seq == first).execute(connection))
        return rows[0].created_at if rows else None

    def counts(self) -> dict[Status, int]:
        """Count the jobs of each status."""
        query = JobRow.select(JobRow.status, fn.COUNT(JobRow.seq)).group_by(JobRow.status)
        with self._database.read() as connection:
            found = dict(query.tuples().execute(connection))
        return {status: found.get(status, 0) for status in Status}

    def results(self, limit: int) -> list[dict[str, Any]]:
        """Read the results of the films that were finished last, the last one first."""
        query = JobRow.select(JobRow.result).where(JobRow.status == Status.DONE)
        with self._database.read() as connection:
            rows = list(query.order_by(JobRow.finished_at.desc()).limit(limit).execute(connection))
        return [row.result for row in rows]

    def speeds(self, limit: int = 50) -> list[Speed]:
        """Read what the films that were finished last have taken."""
        return [speed for result in self.results(limit) if (speed := _speed(result))]

    def line(self, job: Job) -> Line:
        """Say what is before a job."""
        with self._database.read() as connection:
            in_work = JobRow.select(JobRow.id, JobRow.work, JobRow.progress, JobRow.claimed_at)
            rows = list(in_work.where(JobRow.status == Status.RENDERING).execute(connection))
            if job.status is not Status.IN_QUEUE:
                return Line(None, 0.0, tuple(self._running(row) for row in rows if row.id == job.id))
            ahead, work_ahead = _ahead(connection, job)
        return Line(ahead + 1, work_ahead, tuple(self._running(row) for row in rows))

    def page(
        self,
        key_id: str | None,
        *,
        statuses: Collection[Status] = (),
        kind: str | None = None,
        limit: int,
        before: int | None = None,
    ) -> Page:
        """Read a page of jobs: of a key or of all, with one of `statuses` or any, of a kind or any, and of those that
        arrived before `before`."""
        where = [] if key_id is None else [JobRow.key_id == key_id]
        where += [] if kind is None else [JobRow.kind == kind]
        where += [] if before is None else [JobRow.seq < before]
        newest = JobRow.select(JobRow.seq).order_by(JobRow.seq.desc()).limit(limit + 1)
        with self._database.read() as connection:
            # One query a status, as each then follows an index to its end; places only, as rows are long.
            parts = [[*where, JobRow.status == status] for status in statuses] or [where]
            found = [row.seq for part in parts for row in _filtered(newest, part).execute(connection)]
            seqs = sorted(found, reverse=True)[:limit]
            rows = list(JobRow.select().where(JobRow.seq << seqs).order_by(JobRow.seq.desc()).execute(connection))
            deliveries = delivery_rows.of_jobs(connection, [row.id for row in rows])
        jobs = tuple(read_job(row, deliveries[row.id]) for row in rows)
        return Page(jobs, seqs[-1] if len(found) > limit else None)

    def _running(self, row: Any) -> Running:
        elapsed_s = (self._clock() - row.claimed_at).total_seconds()
        return Running(row.work, row.progress, max(elapsed_s, 0.0))


def _filtered(query: Any, conditions: list[Any]) -> Any:
    return query.where(*conditions) if conditions else query


def _ahead(connection: Any, job: Job) -> tuple[int, float]:
    """Count the jobs that wait before this one, and how much work they are."""
    (seq,) = next(iter(JobRow.select(JobRow.seq).where(JobRow.id == job.id).tuples().execute(connection)), (0,))
    rank = -job.priority
    count, total = 0, 0.0
    # Apart, as each then reads one stretch of an index.
    for before in (JobRow.rank < rank, (JobRow.rank == rank) & (JobRow.seq < seq)):
        query = JobRow.select(fn.COUNT(JobRow.seq), fn.SUM(JobRow.work)).where(JobRow.status == Status.IN_QUEUE, before)
        some, their_work = query.scalar(connection, as_tuple=True)
        count, total = count + some, total + (their_work or 0.0)
    return count, total


def _speed(result: dict[str, Any]) -> Speed | None:
    """Read what a film has taken out of its result; None where it does not say."""
    numbers: list[Any] = [result.get(name) for name in ("duration_s", "width", "height", "fps", "render_s")]
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    duration_s, width, height, fps, render_s = numbers
    quality, smooth = result.get("quality", "social"), result.get("smooth", "blend")
    return Speed(work(duration_s, width * height, fps, quality, smooth), render_s)
