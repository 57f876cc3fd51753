"""How jobs change, whoever changes them: the row, what is written down about it, and who is told of an end. All of it
within a transaction that the caller has opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from daemon.jobs import Failure, Job, Status
from daemon.store import callbacks, delivery_rows
from daemon.store.events import Entry, record
from daemon.store.job_rows import read_job
from daemon.store.tables import JobRow

Announce = Callable[[Job], Sequence[callbacks.NewCallback]]
"""Says which callbacks the end of a job makes."""

LAST_STAGE = "deliver"


class JobEnds:
    """Ends jobs. `clock` gives aware datetimes."""

    def __init__(self, clock: Callable[[], datetime], announce: Announce) -> None:
        self._clock = clock
        self._announce = announce

    def end(
        self, connection: Any, row: Any, status: Status, entry: Entry, changes: Mapping[str, Any] | None = None
    ) -> None:
        """End a job, write down that it did, and put the callbacks about it into the outbox."""
        now = max(self._clock(), row.created_at)  # a clock that goes back does not make it end before it was there
        if status is not Status.DONE:
            delivery_rows.call_off(connection, row.id, now)
        write(connection, row, status=status, stage="", finished_at=now, **(changes or {}))
        record(connection, row.id, now, entry)
        for new in self._announce(whole(connection, row)):
            callbacks.insert(connection, new)

    def fail(self, connection: Any, row: Any, failure: Failure) -> None:
        """End a job with an error."""
        about = {"code": failure.code, "permanent": failure.permanent}
        entry = Entry("job.failed", failure.message, "error", about)
        self.end(connection, row, Status.FAILED, entry, {"error": asdict(failure)})

    def made(self, connection: Any, row: Any, changes: Mapping[str, Any]) -> None:
        """Go on with a job whose film is finished: to its end, or to where it is published."""
        now = self._clock()
        if not delivery_rows.begin(connection, row.id, now):
            entry = Entry("job.done", "The film is finished.")
            self.end(connection, row, Status.DONE, entry, {"progress": 100, **changes})
            return
        write(connection, row, status=Status.DELIVERING, stage=LAST_STAGE, progress=100, owner=None, **changes)
        record(connection, row.id, now, Entry("job.delivering", "The film is finished and goes out."))

    def delivered(self, connection: Any, job_id: str) -> None:
        """End a job that is being delivered, if none of its deliveries is open any more."""
        mine = (JobRow.id == job_id, JobRow.status == Status.DELIVERING)
        for row in list(JobRow.select().where(*mine).execute(connection)):
            result = delivery_rows.outcome(connection, job_id)
            if isinstance(result, Failure):
                self.fail(connection, row, result)
            elif result is None:
                self.end(connection, row, Status.DONE, Entry("job.done", "The film is finished and published."))


def write(connection: Any, row: Any, **changes: Any) -> None:
    """Change a row, here and in the table. Nobody else writes meanwhile, so it is still as it was read."""
    JobRow.update(changes).where(JobRow.seq == row.seq).execute(connection)
    for name, value in changes.items():
        setattr(row, name, value)


def whole(connection: Any, row: Any) -> Job:
    """Turn a row into the job that it stores, with its deliveries."""
    return read_job(row, delivery_rows.of_jobs(connection, [row.id])[row.id])
