"""What happened to jobs, in order. Rows are written by whoever changes the job, within the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.jobs import Event
from daemon.store.database import Database
from daemon.store.tables import EventRow


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happens: its type, a sentence, `info`, `warning` or `error`, and plain JSON."""

    type: str
    message: str
    level: str = "info"
    payload: dict[str, Any] = field(default_factory=dict)


def record(connection: Any, job_id: str, at: datetime, entry: Entry) -> None:
    """Write down what happens to a job, within the transaction that makes it happen."""
    EventRow.insert(
        job_id=job_id,
        at=at,
        type=entry.type,
        level=entry.level,
        message=_storable(entry.message),
        payload=entry.payload,
    ).execute(connection)


class EventStore:
    """Reads events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, job_id: str, seq: int = 0, limit: int = 500) -> list[Event]:
        """Read up to `limit` events of a job that came after the one with this `seq`, the oldest first.

        Raises:
            StoreError: as `Database.read` does.
        """
        query = EventRow.select().where(EventRow.job_id == job_id, EventRow.seq > seq)
        with self._database.read() as connection:
            rows = list(query.order_by(EventRow.seq).limit(limit).execute(connection))
        return [Event(row.seq, row.job_id, row.at, row.type, row.level, row.message, row.payload) for row in rows]


def _storable(text: str) -> str:
    """Replace what no database takes for text: half characters and NUL. A message may quote a request that has some."""
    return text.encode(errors="replace").decode().replace("\0", "?")
