"""The jobs table: what has been promised, what is being made, what came of it. It is the truth; the queue only rings.

Submitting is on the disk before it returns. Claiming counts the attempt, and every later write of a worker holds only
while the row still carries that claim. What happens to a job, and the callbacks about its end, are written with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from daemon import failpoints
from daemon.errors import UnknownJob, WrongState
from daemon.estimate import work
from daemon.jobs import Claim, Failure, Job, Limits, NewJob, Repeat, Status, new_id, sources
from daemon.store import callbacks, delivery_rows, quota, repeats
from daemon.store.database import Database
from daemon.store.events import Entry, record
from daemon.store.job_ends import LAST_STAGE, Announce, JobEnds, whole, write
from daemon.store.tables import JobRow, utc_now

WORKER_DIED = Failure("worker_died", "The worker died each time it made this film; no more tries.", permanent=False)
_QUEUED: dict[str, Any] = {"status": Status.IN_QUEUE, "stage": "", "progress": 0, "owner": None}


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job of a request. `repeated`: it was there before, and `answer` is what the request was answered then, None
    where that is not known."""

    job: Job
    repeated: bool = False
    answer: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Ids of the jobs that dead workers left behind: back in the queue, or given up."""

    put_back: tuple[str, ...]
    failed: tuple[str, ...]


class JobStore:
    """The jobs table. `clock` gives aware datetimes; `announce` says which callbacks the end of a job makes.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        announce: Announce = lambda job: (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._ends = JobEnds(clock, announce)

    def submit(
        self,
        new: NewJob,
        *,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        repeat: Repeat | None = None,
        also: Callable[[Any, str], None] = lambda connection, job_id: None,
    ) -> Submitted:
        """Put a job at the end of the queue, or find the one that the same request has made before. It is on the disk
        when this returns, and with it what `also` writes; what that raises undoes both.

        Raises:
            RepeatMismatch: the request's key was used for another one.
            TooManyRequests: the key has reached one of its limits.
        """
        now = self._clock()
        row = _new_row(new, now)
        with self._database.write() as connection:
            if repeat and (found := repeats.find(connection, new.key_id, repeat, now)):
                return Submitted(whole(connection, found[0]), True, found[1])
            # Raised outside: what a refusal changes of the count is to stay.
            refusal = quota.charge(connection, new.key_id, limits, now)
            if refusal is None:
                JobRow.insert(row.__data__).execute(connection)
                delivery_rows.insert(connection, row.id, new.key_id, now, new.deliveries)
                if repeat:
                    repeats.insert(connection, new.key_id, repeat, row.id, now)
                record(connection, row.id, now, Entry("job.queued", "The job waits in the queue."))
                also(connection, row.id)
                failpoints.reach("submit_before_commit")
                job = whole(connection, row)
        if refusal is not None:
            raise refusal
        return Submitted(job)

    def submitted(self, key_id: str, repeat: Repeat) -> Submitted | None:
        """Find the job that the same request has made before, without making one; None where it is new, which only
        `submit` can tell for sure.

        Raises:
            RepeatMismatch: as `submit`.
        """
        with self._database.read() as connection:
            found = repeats.find(connection, key_id, repeat, self._clock())
            return Submitted(whole(connection, found[0]), True, found[1]) if found else None

    def remember_answer(self, key_id: str, word: str, answer: dict[str, Any]) -> None:
        """Keep what the first request with this key was answered, for those that come again."""
        with self._database.write() as connection:
            repeats.remember_answer(connection, key_id, word, answer)

    def get(self, job_id: str, key_id: str | None = None) -> Job:
        """Read a job; with `key_id`, only if it was submitted with that key.

        Raises:
            UnknownJob: there is none, or it belongs to another key.
        """
        with self._database.read() as connection:
            return whole(connection, _row(connection, job_id, key_id))

    def claim(self, owner: str, job_id: str | None = None) -> Job | None:
        """Take the waiting job that is next, or a certain one, counting the attempt; None where it does not wait.

        `owner` names one run of one worker process. The job's `claim` is needed for every later write.
        """
        with self._database.read() as connection:  # an idle worker asks all the time; it must not hold up writers
            if not list(_next(JobRow.seq, job_id).execute(connection)):
                return None
        with self._database.write() as connection:
            rows = list(_next(JobRow, job_id).execute(connection))
            if not rows:
                return None
            (row,) = rows
            now = max(self._clock(), row.created_at)
            attempt, started_at = row.attempt + 1, row.started_at or now
            changes = {"status": Status.RENDERING, "owner": owner, "attempt": attempt, "claimed_at": now}
            write(connection, row, **changes, started_at=started_at)
            entry = Entry("job.started", "A worker makes the film.", payload={"attempt": attempt})
            record(connection, row.id, now, entry)
            job = whole(connection, row)
        failpoints.reach("claim_committed")
        return job

    def upcoming(self, limit: int) -> list[tuple[str, float]]:
        """Read the ids of the waiting jobs that are next, in their order, and how much work each is."""
        with self._database.read() as connection:
            rows = list(_waiting(JobRow.id, JobRow.work).limit(limit).execute(connection))
        return [(row.id, row.work) for row in rows]

    def holds(self, claim: Claim) -> bool:
        """Whether the claim still holds: nobody has cancelled the job or given it to another worker."""
        with self._database.read() as connection:
            return bool(list(_held(claim, JobRow.seq).execute(connection)))

    def report(self, claim: Claim, *, stage: str, progress: int) -> bool:
        """Write down how far a claimed job is; False when the claim is lost."""
        with self._database.write() as connection:
            for row in list(_held(claim, JobRow).execute(connection)):
                if stage != row.stage:
                    about = {"stage": stage, "attempt": claim.attempt}
                    entry = Entry("job.stage", f"The stage {stage} has begun.", payload=about)
                    record(connection, row.id, self._clock(), entry)
                write(connection, row, stage=stage, progress=min(max(progress, 0), 100))
                return True
        return False

    def finish(
        self, claim: Claim, result: dict[str, Any], warnings: Sequence[str] = (), film: str | None = None
    ) -> bool:
        """End a claimed job with its result and the stem of its files, or let its film go out; False when the claim is
        lost."""
        with self._database.write() as connection:
            rows = list(_held(claim, JobRow).execute(connection))
            for row in rows:
                self._ends.made(connection, row, {"result": result, "warnings": list(warnings), "film": film})
            failpoints.reach("finish_before_commit")
        failpoints.reach("finish_committed")
        return bool(rows)

    def fail(self, claim: Claim, failure: Failure) -> bool:
        """End a claimed job with an error; False when the claim is lost."""
        with self._database.write() as connection:
            rows = list(_held(claim, JobRow).execute(connection))
            for row in rows:
                self._ends.fail(connection, row, failure)
        failpoints.reach("fail_committed")
        return bool(rows)

    def put_back(self, claim: Claim) -> bool:
        """Return a claimed job to its place in the queue, not holding the attempt against it; False when the claim
        is lost."""
        with self._database.write() as connection:
            rows = list(_held(claim, JobRow).execute(connection))
            for row in rows:
                entry = Entry("job.put_back", "The worker stops; the job waits again.")
                self._queue(connection, row, entry, put_backs=row.put_backs + 1)
        failpoints.reach("put_back_committed")
        return bool(rows)

    def try_again(self, claim: Claim, failure: Failure, max_attempts: int = 3) -> bool:
        """Return a claimed job to its place in the queue, or end it with this error when that was its `max_attempts`-th
        try; False when the claim is lost."""
        with self._database.write() as connection:
            rows = list(_held(claim, JobRow).execute(connection))
            for row in rows:
                if row.attempt - row.put_backs >= max_attempts:
                    self._ends.fail(connection, row, failure)
                else:
                    entry = Entry("job.put_back", f"{failure.message} It is tried again.", "warning")
                    self._queue(connection, row, entry)
        failpoints.reach("put_back_committed")
        return bool(rows)

    def cancel(self, job_id: str, key_id: str | None = None) -> Job:
        """End a job that waits, is being made or goes out; whoever makes it sees that its claim is lost. What is being
        published already goes on to its end. Once more is no error.

        Raises:
            UnknownJob: as `get`.
            WrongState: it has ended otherwise.
        """
        with self._database.write() as connection:
            row = _row(connection, job_id, key_id)
            if row.status != Status.CANCELLED:
                if row.status not in sources(Status.CANCELLED):
                    raise WrongState("cancelled", row.status)
                self._ends.end(connection, row, Status.CANCELLED, Entry("job.cancelled", "The job is cancelled."))
            return whole(connection, row)

    def retry(
        self,
        job_id: str,
        key_id: str | None = None,
        *,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
    ) -> Job:
        """Return a failed job to its place in the queue, with all its tries ahead; it counts as one more. One whose
        film is there and could not be published goes out again as it is.

        Raises:
            UnknownJob: as `get`.
            WrongState: it has not failed.
            TooManyRequests: its key has reached one of its limits.
        """
        with self._database.write() as connection:
            row = _row(connection, job_id, key_id)
            if row.status != Status.FAILED:
                raise WrongState("tried again", row.status)
            # Raised outside, as when submitting.
            refusal = quota.charge(connection, row.key_id, limits, self._clock())
            if refusal is None:
                callbacks.supersede(connection, row.id, self._clock())  # or its failure is told after its success
                self._retry(connection, row)
                job = whole(connection, row)
        if refusal is not None:
            raise refusal
        return job

    def release_seat(self, seat: str, max_attempts: int = 3) -> Reconciled:
        """Deal with the jobs of all workers of a seat; only for who holds its lock, before the first claim. An owner is
        its seat, a dot and the rest.

        Each goes back to its place in the queue, or fails when that was its `max_attempts`-th try.
        """
        return self._release(JobRow.owner.startswith(f"{seat}."), max_attempts)

    def release(self, owners: Collection[str], max_attempts: int = 3) -> Reconciled:
        """Deal with the jobs of owners that are known to be dead, as `release_seat` does."""
        return self._release(JobRow.owner << list(owners), max_attempts)

    def owners_at_work(self) -> set[str]:
        """Read who has claimed jobs that have not ended."""
        with self._database.read() as connection:
            rows = list(JobRow.select(JobRow.owner).where(JobRow.status == Status.RENDERING).execute(connection))
        return {row.owner for row in rows}

    def _release(self, theirs: Any, max_attempts: int) -> Reconciled:
        put_back, failed = [], []
        query = JobRow.select().where(JobRow.status == Status.RENDERING, JobRow.owner.is_null(False), theirs)
        with self._database.write() as connection:
            for row in list(query.execute(connection)):
                if row.attempt - row.put_backs >= max_attempts:
                    self._ends.fail(connection, row, WORKER_DIED)
                    failed.append(row.id)
                else:
                    entry = Entry("job.put_back", "The worker died; the job waits again.", "warning")
                    self._queue(connection, row, entry)
                    put_back.append(row.id)
        failpoints.reach("reconcile_committed")
        return Reconciled(tuple(put_back), tuple(failed))

    def _retry(self, connection: Any, row: Any) -> None:
        now, fresh = self._clock(), {"error": None, "finished_at": None}
        is_made = row.film is not None and (row.error or {}).get("code") == delivery_rows.FAILED_CODE
        if delivery_rows.again(connection, row.id, now, has_film=is_made) and is_made:
            record(connection, row.id, now, Entry("job.retried", "The film goes out again."))
            write(connection, row, status=Status.DELIVERING, stage=LAST_STAGE, **fresh)
            return
        self._queue(connection, row, Entry("job.retried", "The job is tried again."), put_backs=row.attempt, **fresh)

    def _queue(self, connection: Any, row: Any, entry: Entry, **changes: Any) -> None:
        """Return a job to its place in the queue, and write down why."""
        record(connection, row.id, self._clock(), replace(entry, payload={"attempt": row.attempt}))
        write(connection, row, **_QUEUED, **changes)


def _new_row(new: NewJob, now: datetime) -> Any:
    return JobRow(
        id=new_id(),
        kind=new.kind,
        spec=new.spec,
        seed=new.seed,
        key_id=new.key_id,
        client_data=new.client_data,
        warnings=list(new.warnings),
        film_s=new.film_s,
        work=work(new.film_s, new.pixels, new.fps, new.quality, new.smooth),
        status=Status.IN_QUEUE,
        rank=-new.priority,
        callback=asdict(new.callback) if new.callback else None,
        base_url=new.base_url,
        created_at=now,
    )


def _row(connection: Any, job_id: str, key_id: str | None) -> Any:
    query = JobRow.select().where(JobRow.id == job_id)
    if key_id is not None:
        query = query.where(JobRow.key_id == key_id)
    rows = list(query.execute(connection))
    if not rows:
        raise UnknownJob
    return rows[0]


def _waiting(*columns: Any) -> Any:
    """The query for the waiting jobs: by rank, then by arrival."""
    return JobRow.select(*columns).where(JobRow.status == Status.IN_QUEUE).order_by(JobRow.rank, JobRow.seq)


def _next(columns: Any, job_id: str | None) -> Any:
    """The query for the waiting job that is next, or for a certain one while it waits."""
    waiting = _waiting(columns)
    return (waiting if job_id is None else waiting.where(JobRow.id == job_id)).limit(1)


def _held(claim: Claim, columns: Any) -> Any:
    """The query for a job while the claim holds."""
    return JobRow.select(columns).where(
        JobRow.id == claim.job_id,
        JobRow.attempt == claim.attempt,
        JobRow.owner == claim.owner,
        JobRow.status == Status.RENDERING,
    )
