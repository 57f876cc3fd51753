"""What may go: films and rows that have been kept long enough, and what jobs say about files that lie around.

Nothing goes that a callback which is not delivered yet tells somebody to fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.jobs import FINAL, Status, sources, stem
from daemon.store.database import Database
from daemon.store.tables import CallbackRow, EventRow, JobRow, RepeatRow, utc_now

BATCH = 500
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
            stems = [film.stem for film in films[start : start + BATCH]]
            with self._database.write() as connection:
                JobRow.update(film=None).where(JobRow.film << stems, JobRow.status << tuple(FINAL)).execute(connection)

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
                JobRow.delete().where(JobRow.id << ids).execute(connection)
            removed += len(ids)

    def remove_repeats(self) -> int:
        """Remove Idempotency-Keys that count no more."""
        query = RepeatRow.delete().where(RepeatRow.created_at < self.clock() - REPEATS_KEPT)
        with self._database.write() as connection:
            count: int = query.execute(connection)
        return count

    def needed_stems(self, job_ids: Collection[str]) -> dict[str, set[str]]:
        """For those of these jobs that are known: the stems of the film and of the attempt that is in work."""
        ids = sorted(job_ids)
        found: dict[str, set[str]] = {}
        columns = (JobRow.id, JobRow.film, JobRow.status, JobRow.attempt)
        for start in range(0, len(ids), BATCH):
            query = JobRow.select(*columns).where(JobRow.id << ids[start : start + BATCH])
            with self._database.read() as connection:
                for row in query.execute(connection):
                    in_work = {stem(row.id, row.attempt)} if row.status in _IN_WORK else set()
                    found[row.id] = in_work | ({row.film} if row.film else set())
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


def _is_told() -> Any:
    """Whether nobody waits for a callback about the job."""
    waiting = CallbackRow.select(CallbackRow.job_id).where(
        CallbackRow.ended_at.is_null(), CallbackRow.job_id.is_null(False)
    )
    return JobRow.id.not_in(waiting)


def _ended(before: datetime) -> Any:
    """The query for the jobs that ended before a time, whose films are gone and whose callbacks are delivered."""
    return (
        JobRow.select(JobRow.id)
        .where(JobRow.status << tuple(FINAL), JobRow.finished_at < before, JobRow.film.is_null(), _is_told())
        .order_by(JobRow.finished_at)
    )
