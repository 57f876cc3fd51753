"""Which workers run or ran lately. A worker that lives makes its count of beats grow; nobody's clock is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.store.database import Database
from daemon.store.tables import WorkerRow, utc_now

SILENT_AFTER_S = 20.0
# Clocks of two machines may differ by this much. What was heard of later still was so before a clock was put right.
_CLOCKS_DIFFER_S = 300.0


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One run of one worker process: what it says about itself, the job that it makes, how often it has beaten."""

    id: str
    about: dict[str, Any]
    job_id: str | None
    beats: int
    started_at: datetime
    seen_at: datetime

    def silent_s(self, now: datetime) -> float:
        """Seconds since it was last heard of; not below 0, whatever the clocks of two machines say."""
        return max(0.0, (now - self.seen_at).total_seconds())

    def is_alive(self, now: datetime) -> bool:
        """Whether it was heard of lately. For people who look: jobs are taken away by `daemon.worker.leases` only."""
        return -_CLOCKS_DIFFER_S <= (now - self.seen_at).total_seconds() <= SILENT_AFTER_S


class WorkerStore:
    """The workers table. `clock` gives aware datetimes; its times are for people to read.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._about: dict[str, dict[str, Any]] = {}

    def join(self, worker_id: str, about: Mapping[str, Any]) -> None:
        """Add a worker. `about` is plain JSON."""
        self._about[worker_id] = dict(about)
        with self._database.write() as connection:
            WorkerRow.delete().where(WorkerRow.id == worker_id).execute(connection)
            self._insert(connection, worker_id, None)

    def beat(self, worker_id: str, job_id: str | None) -> None:
        """Say that a worker lives and which job it makes. One that was forgotten, as it stood still for long, is there
        again."""
        now = self._clock()
        query = WorkerRow.update(beats=WorkerRow.beats + 1, job_id=job_id, seen_at=now)
        with self._database.write() as connection:
            if query.where(WorkerRow.id == worker_id).execute(connection) == 0:
                self._insert(connection, worker_id, job_id)

    def leave(self, worker_id: str) -> None:
        """Remove a worker that has stopped."""
        with self._database.write() as connection:
            WorkerRow.delete().where(WorkerRow.id == worker_id).execute(connection)

    def leave_all(self, seat: str) -> None:
        """Remove all workers of a seat, which are dead; only for who holds its lock. A worker's id is its seat, a dot
        and the rest."""
        with self._database.write() as connection:
            WorkerRow.delete().where(WorkerRow.id.startswith(f"{seat}.")).execute(connection)

    def all(self) -> list[WorkerSeen]:
        """Read all workers, the one that was started last at the end."""
        with self._database.read() as connection:
            rows = list(WorkerRow.select().order_by(WorkerRow.started_at, WorkerRow.id).execute(connection))
        return [WorkerSeen(row.id, row.about, row.job_id, row.beats, row.started_at, row.seen_at) for row in rows]

    def forget(self, seen_before: datetime) -> int:
        """Remove workers that were not heard of since a time; returns how many."""
        with self._database.write() as connection:
            count: int = WorkerRow.delete().where(WorkerRow.seen_at < seen_before).execute(connection)
        return count

    def _insert(self, connection: Any, worker_id: str, job_id: str | None) -> None:
        now, about = self._clock(), self._about.get(worker_id, {})
        values = {"id": worker_id, "about": about, "job_id": job_id, "beats": 0, "started_at": now, "seen_at": now}
        WorkerRow.insert(values).execute(connection)
