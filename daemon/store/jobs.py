"""The jobs table: what has been promised, what is being made, what came of it. It is the truth; the queue only rings.

Submitting is on the disk before it returns. Claiming counts the attempt, and every later write of a worker holds only
while the row still carries that claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from daemon.errors import UnknownJob
from daemon.estimate import Line, Running, Speed, work
from daemon.jobs import Claim, Failure, Job, NewJob, Status, new_id, sources
from daemon.store.database import Database
from daemon.store.tables import JobRow, utc_now

WORKER_DIED = Failure("worker_died", "The worker died each time it made this film; no more tries.", permanent=False)
_IN_WORK = sources(Status.DONE)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Ids of the jobs that a dead worker left behind: back in the queue, or given up."""

    put_back: tuple[str, ...]
    failed: tuple[str, ...]


class JobStore:
    """The jobs table. `clock` gives aware datetimes.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def submit(self, new: NewJob) -> Job:
        """Put a job at the end of the queue. It is on the disk when this returns."""
        row = JobRow(
            id=new_id(),
            kind=new.kind,
            spec=new.spec,
            seed=new.seed,
            key_id=new.key_id,
            client_data=new.client_data,
            film_s=new.film_s,
            work=work(new.film_s, new.pixels, new.fps, new.quality),
            status=Status.IN_QUEUE,
            created_at=self._clock(),
        )
        with self._database.write() as connection:
            JobRow.insert(row.__data__).execute(connection)
        return _job(row)

    def get(self, job_id: str, key_id: str | None = None) -> Job:
        """Read a job; with `key_id`, only if it was submitted with that key.

        Raises:
            UnknownJob: there is none, or it belongs to another key.
        """
        query = JobRow.select().where(JobRow.id == job_id)
        if key_id is not None:
            query = query.where(JobRow.key_id == key_id)
        with self._database.read() as connection:
            rows = list(query.execute(connection))
        if not rows:
            raise UnknownJob
        return _job(rows[0])

    def waiting(self) -> int:
        """Count the jobs in the queue."""
        with self._database.read() as connection:
            count: int = JobRow.select().where(JobRow.status == Status.IN_QUEUE).count(connection)
        return count

    def line(self, job: Job) -> Line:
        """Say what is before a job."""
        with self._database.read() as connection:
            in_work = list(JobRow.select().where(JobRow.status << _IN_WORK).limit(1).execute(connection))
            running = self._running(in_work[0]) if in_work else None
            if job.status is not Status.IN_QUEUE:
                return Line(None, 0.0, running)
            ahead, work_ahead = _ahead(job.id).scalar(connection, as_tuple=True)
        return Line(ahead + 1, work_ahead or 0.0, running)

    def speeds(self, limit: int = 50) -> list[Speed]:
        """Read what the films finished last have taken."""
        query = JobRow.select(JobRow.result).where(JobRow.status == Status.DONE)
        with self._database.read() as connection:
            rows = list(query.order_by(JobRow.finished_at.desc()).limit(limit).execute(connection))
        return [speed for row in rows if (speed := _speed(row.result))]

    def claim(self, owner: str) -> Job | None:
        """Take the oldest waiting job, counting the attempt; None where none waits.

        `owner` names one run of one worker process. The job's `claim` is needed for every later write.
        """
        with self._database.read() as connection:  # an idle worker asks all the time; it must not hold up writers
            if connection.execute_sql(*_IS_ANY_WAITING).fetchone() is None:
                return None
        now = self._clock()
        query = JobRow.update(
            status=Status.RENDERING,
            owner=owner,
            attempt=JobRow.attempt + 1,
            claimed_at=now,
            started_at=fn.COALESCE(JobRow.started_at, JobRow.started_at.db_value(now)),
        ).where(JobRow.seq == oldest_waiting(), JobRow.status == Status.IN_QUEUE)
        with self._database.write() as connection:
            rows = list(query.returning(JobRow).execute(connection))
        return _job(rows[0]) if rows else None

    def report(self, claim: Claim, *, stage: str, progress: int) -> bool:
        """Write down how far a claimed job is; False when the claim is lost."""
        return self._change(claim, _IN_WORK, stage=stage, progress=min(max(progress, 0), 100))

    def finish(self, claim: Claim, result: dict[str, Any], warnings: Sequence[str] = ()) -> bool:
        """End a claimed job with its result; False when the claim is lost."""
        return self._end(claim, Status.DONE, progress=100, result=result, warnings=list(warnings))

    def fail(self, claim: Claim, failure: Failure) -> bool:
        """End a claimed job with an error; False when the claim is lost."""
        return self._end(claim, Status.FAILED, error=asdict(failure))

    def put_back(self, claim: Claim) -> bool:
        """Return a claimed job to its place in the queue, not holding the attempt against it; False when the claim
        is lost."""
        return self._change(claim, (Status.RENDERING,), **_QUEUED, put_backs=JobRow.put_backs + 1)

    def reconcile(self, max_attempts: int = 3) -> Reconciled:
        """Deal with the jobs of a worker that is gone; only for who holds the worker's lock, before the first claim.

        Each goes back to its place in the queue, or fails when that was its `max_attempts`-th try.
        """
        orphan = JobRow.status == Status.RENDERING
        spent = JobRow.attempt - JobRow.put_backs >= max_attempts
        give_up = JobRow.update(
            status=Status.FAILED, stage="", error=asdict(WORKER_DIED), finished_at=self._clock()
        ).where(orphan, spent)
        again = JobRow.update(**_QUEUED).where(orphan)
        with self._database.write() as connection:
            failed = [row.id for row in give_up.returning(JobRow.id).execute(connection)]
            put_back = [row.id for row in again.returning(JobRow.id).execute(connection)]
        return Reconciled(tuple(put_back), tuple(failed))

    def _end(self, claim: Claim, status: Status, **values: Any) -> bool:
        return self._change(claim, sources(status), status=status, stage="", finished_at=self._clock(), **values)

    def _change(self, claim: Claim, allowed: Sequence[Status], **values: Any) -> bool:
        """Write to a job while the claim holds and its status is one of `allowed`."""
        query = JobRow.update(**values).where(
            JobRow.id == claim.job_id,
            JobRow.attempt == claim.attempt,
            JobRow.owner == claim.owner,
            JobRow.status << allowed,
        )
        with self._database.write() as connection:
            changed: int = query.execute(connection)
        return changed == 1

    def _running(self, row: Any) -> Running:
        elapsed_s = (self._clock() - row.claimed_at).total_seconds()
        return Running(row.work, row.progress, max(elapsed_s, 0.0))


_QUEUED: dict[str, Any] = {"status": Status.IN_QUEUE, "stage": "", "progress": 0, "owner": None}


def oldest_waiting() -> Any:
    """The query for the `seq` of the job that is next."""
    return JobRow.select(JobRow.seq).where(JobRow.status == Status.IN_QUEUE).order_by(JobRow.seq).limit(1)


_IS_ANY_WAITING = oldest_waiting().sql()  # built once: building it takes longer than running it


def _ahead(job_id: str) -> Any:
    """The query for how many jobs wait before this one, and how much work they are."""
    place = JobRow.alias()
    seq = place.select(place.seq).where(place.id == job_id)
    return JobRow.select(fn.COUNT(JobRow.seq), fn.SUM(JobRow.work)).where(
        JobRow.status == Status.IN_QUEUE, JobRow.seq < seq
    )


def _speed(result: Any) -> Speed | None:
    """Read what a film has taken out of its result; None where it does not say."""
    numbers = [result.get(name) for name in ("duration_s", "width", "height", "fps", "render_s")]
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    duration_s, width, height, fps, render_s = numbers
    return Speed(work(duration_s, width * height, fps, result.get("quality", "social")), render_s)


def _job(row: Any) -> Job:
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
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
