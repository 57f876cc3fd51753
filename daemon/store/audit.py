"""The audit table: which admin calls there were, from where, and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from daemon.store.database import Database
from daemon.store.tables import AuditRow, utc_now

_LONGEST_ADDRESS = 64
_LONGEST_METHOD = 10


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One admin call. `seq` grows; `address` is text, `unknown` where it could not be told."""

    seq: int
    at: datetime
    address: str
    method: str
    path: str
    status: int


class AuditStore:
    """The audit table. `clock` gives aware datetimes.

    Every method may raise what `Database.read` and `Database.write` raise.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def add(self, address: str, method: str, path: str, status: int) -> None:
        """Write a call down. It is on the disk when this returns."""
        query = AuditRow.insert(
            at=self._clock(),
            address=address[:_LONGEST_ADDRESS],
            method=method[:_LONGEST_METHOD],
            path=path,
            status=status,
        )
        with self._database.write() as connection:
            query.execute(connection)

    def page(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Read calls, the newest first; with `before` only those with a smaller `seq`."""
        query = AuditRow.select().order_by(AuditRow.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.seq < before)
        with self._database.read() as connection:
            rows = list(query.execute(connection))
        return [AuditEntry(row.seq, row.at, row.address, row.method, row.path, row.status) for row in rows]

    def forget(self, before: datetime) -> int:
        """Remove calls from before a time; how many there were."""
        query = AuditRow.delete().where(AuditRow.at < before)
        with self._database.write() as connection:
            count: int = query.execute(connection)
        return count
