"""What may go: films and rows that have been kept long enough, and what jobs say about files that lie around.

Nothing goes that a callback which is not delivered yet tells somebody to fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.deliveries.life import State
from daemon.jobs import FINAL, Status, sources, stem
from daemon.store.database import Database
from daemon.store.tables import CallbackRow, DeliveryRow, EventRow, JobRow, RepeatRow, utc_now

BATCH = 500
# No job of this service has ended before; a clock that says so was not set.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
# More than the clocks of two machines should differ by: no job has ended so far ahead.
_FARTHEST_AHEAD = timedelta(days=1)
REPEATS_KEPT = timedelta(hours=25)  # they count for 24; one more, so that a clock that is put back finds them
_IN_WORK = sources(Status.DONE)


@dataclass(frozen=True, slots=True)
class KeptFilm:
    """A finished film that there are files of."""

    job_id: str
    stem: str


class RetentionStore:
    """Reads and removes over all jobs. `clock` gives aware datetimes.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing of its batch.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self.clock = clock

    def films(self, ended_before: datetime, *, delivered: bool = False) -> list[KeptFilm]:
        """The films of jobs that ended before a time, the oldest first; with `delivered` only of those that went
        well."""
        ends = (Status.DONE,) if delivered else tuple(FINAL)
        query = JobRow.select(JobRow.id, JobRow.film).where(
            JobRow.status << ends, JobRow.finished_at < ended_before, JobRow.film.is_null(False), _is_told()
        )
        with self._database.read() as connection:
            rows = list(query.order_by(JobRow.finished_at).execute(connection))
        return [KeptFilm(row.id, row.film) for row in rows]

    def forget_films(self, films: Sequence[KeptFilm]) -> None:
        """Write down that the files of these films are gone."""
        for start in range(0, len(films), BATCH):
            batch = films[start : start + BATCH]
            ids, stems = [film.job_id for film in batch], [film.stem for film in batch]
            with self._database.write() as connection:
                these = (JobRow.id << ids, JobRow.film << stems, JobRow.status << tuple(FINAL))
                JobRow.update(film=None).where(*these).execute(connection)

    def adopt(self, job_ids: Collection[str]) -> None:
        """Write down that there are films of these jobs, named by the job alone, where one is done and its row names
        none: a worker of an earlier version, which runs beside this one, ends a job so."""
        ids = sorted(job_ids)
        for start in range(0, len(ids), BATCH):
            these = (JobRow.id << ids[start : start + BATCH], JobRow.status == Status.DONE, JobRow.film.is_null())
            with self._database.read() as connection:
                found = [row.id for row in JobRow.select(JobRow.id).where(*these).execute(connection)]
            if found:
                with self._database.write() as connection:
                    JobRow.update(film=JobRow.id).where(JobRow.id << found, *these[1:]).execute(connection)

    def redate(self, gained: timedelta, *, ahead: bool) -> int:
        """Put right when jobs have ended by a wrong clock; returns how many.

        `gained` is how far the clock was put forward: films have become no older by that. Ends before `EARLIEST` are
        taken to be now, and with `ahead` so is what is too far ahead, ends and Idempotency-Keys.
        """
        now = self.clock()
        latest = now + _FARTHEST_AHEAD
        wrong = JobRow.finished_at < EARLIEST
        if ahead:
            wrong |= JobRow.finished_at > latest
        if gained:
            wrong |= JobRow.film.is_null(False)
        query = JobRow.select().where(JobRow.status << tuple(FINAL), wrong)
        if ahead:
            with self._database.write() as connection:
                RepeatRow.update(created_at=now).where(RepeatRow.created_at > latest).execute(connection)
        with self._database.read() as connection:
            seqs = [row.seq for row in query.select(JobRow.seq).execute(connection)]
        for start in range(0, len(seqs), BATCH):
            with self._database.write() as connection:
                for row in list(query.where(JobRow.seq << seqs[start : start + BATCH]).execute(connection)):
                    is_possible = EARLIEST <= row.finished_at <= latest
                    _redate(connection, row, min(row.finished_at + gained, now) if is_possible else now)
        return len(seqs)

    def count_jobs(self, ended_before: datetime) -> int:
        """How many jobs `remove_jobs` would remove."""
        with self._database.read() as connection:
            count: int = _ended(ended_before).count(connection)
        return count

    def remove_jobs(self, ended_before: datetime) -> int:
        """Remove the rows of jobs that ended before a time and have no film any more, and of what belongs to them."""
        removed = 0
        while True:
            with self._database.write() as connection:
                ids = [row.id for row in _ended(ended_before).limit(BATCH).execute(connection)]
                if not ids:
                    return removed
                EventRow.delete().where(EventRow.job_id << ids).execute(connection)
                RepeatRow.delete().where(RepeatRow.job_id << ids).execute(connection)
                DeliveryRow.delete().where(DeliveryRow.job_id << ids).execute(connection)
                JobRow.delete().where(JobRow.id << ids).execute(connection)
            removed += len(ids)

    def remove_repeats(self) -> int:
        """Remove Idempotency-Keys that count no more."""
        query = RepeatRow.delete().where(RepeatRow.created_at < self.clock() - REPEATS_KEPT)
        with self._database.write() as connection:
            count: int = query.execute(connection)
        return count

    def needed_stems(self, job_ids: Collection[str]) -> dict[str, set[str]]:
        """For those of these jobs that are known: the stems of the film and of the attempt that is in work. Where no
        film is known of one that is in work or done, an earlier version may be naming it by the job alone: see
        `adopt`."""
        ids = sorted(job_ids)
        found: dict[str, set[str]] = {}
        columns = (JobRow.id, JobRow.film, JobRow.status, JobRow.attempt)
        for start in range(0, len(ids), BATCH):
            query = JobRow.select(*columns).where(JobRow.id << ids[start : start + BATCH])
            with self._database.read() as connection:
                for row in query.execute(connection):
                    needed = {row.film} if row.film else set()
                    if row.status in _IN_WORK:
                        needed |= {row.id, stem(row.id, row.attempt)}
                    elif row.status == Status.DONE and not row.film:
                        needed.add(row.id)
                    found[row.id] = needed
        return found

    def may_run(self, job_ids: Collection[str]) -> set[str]:
        """Those of these jobs that are not at their end, or have failed and may be tried again."""
        ids = sorted(job_ids)
        over = (Status.DONE, Status.CANCELLED)
        found: set[str] = set()
        for start in range(0, len(ids), BATCH):
            batch = JobRow.id << ids[start : start + BATCH]
            with self._database.read() as connection:
                rows = JobRow.select(JobRow.id).where(batch, JobRow.status.not_in(over)).execute(connection)
                found.update(row.id for row in rows)
        return found


def _redate(connection: Any, row: Any, at: datetime) -> None:
    """Change when a job has ended, and with it the callbacks about that end; it has not come or begun after it."""
    about = (CallbackRow.job_id == row.id, CallbackRow.created_at == row.finished_at)
    CallbackRow.update(created_at=at).where(*about).execute(connection)
    changes = {"finished_at": at}
    for name in ("created_at", "claimed_at", "started_at"):
        if (before := getattr(row, name)) is not None:
            changes[name] = min(before, at)
    JobRow.update(changes).where(JobRow.seq == row.seq).execute(connection)


def _is_told() -> Any:
    """Whether nobody waits for a callback about the job."""
    waiting = CallbackRow.select(CallbackRow.job_id).where(
        CallbackRow.ended_at.is_null(), CallbackRow.job_id.is_null(False)
    )
    return JobRow.id.not_in(waiting)


def _ended(before: datetime) -> Any:
    """The query for the jobs that ended before a time, whose films are gone, whose callbacks are delivered, and of
    which nothing is out that somebody may still ask about."""
    out = DeliveryRow.select(DeliveryRow.job_id).where(DeliveryRow.state << (State.SENDING, State.ACCEPTED))
    return (
        JobRow.select(JobRow.id)
        .where(
            JobRow.status << tuple(FINAL),
            JobRow.finished_at < before,
            JobRow.film.is_null(),
            _is_told(),
            JobRow.id.not_in(out),
        )
        .order_by(JobRow.finished_at)
    )
