"""What operators are told beside the ends of jobs: by a signed callback to their own URL, and by alerts through
channels of theirs. Written with what it tells of; sends nothing."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from daemon.store import callbacks
from daemon.store.callbacks import NewCallback
from daemon.store.database import Database
from daemon.store.keys import OPERATOR
from daemon.store.tables import AlertRow, utc_now
from daemon.strict_json import dump

# Longer than an alert is put off: what waits for longer was written by a clock that was ahead.
_LONGEST_WAIT = timedelta(days=1)
# Beyond what is kept otherwise: nobody carries these any more.
_FORGOTTEN_AFTER = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: its type such as `token.expiring`, a headline, a sentence, and what belongs to it as JSON.
    `is_alarm`: it goes to the operator's channels, too, and not only to the URL."""

    type: str
    subject: str
    sentence: str
    data: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None
    is_alarm: bool = True


@dataclass(frozen=True, slots=True)
class Notices:
    """Writes notices down. `operator_url` is where callbacks go, `has_channels` whether there are others."""

    operator_url: str = field(default="", repr=False)
    has_channels: bool = False

    def insert(self, connection: Any, notice: Notice, now: datetime) -> None:
        """Have something told, within the transaction in which it happens."""
        if self.operator_url:
            data = {"message": notice.sentence, **notice.data}
            body = {"type": notice.type, "timestamp": now.isoformat(timespec="milliseconds"), "data": data}
            callbacks.insert(
                connection,
                NewCallback(notice.job_id, OPERATOR, notice.type, self.operator_url, {}, dump(body), now, now),
            )
        if notice.is_alarm and self.has_channels:
            AlertRow.insert(subject=notice.subject, body=notice.sentence, next_at=now, created_at=now).execute(
                connection
            )


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is due."""

    seq: int
    subject: str
    body: str
    tries: int
    next_at: datetime
    created_at: datetime


class AlertStore:
    """The alerts that wait. Every method may raise what `Database.read` and `Database.write` raise."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def add(self, notice: Notice, notices: Notices) -> None:
        """Have something told that is written down nowhere else."""
        with self._database.write() as connection:
            notices.insert(connection, notice, self._clock())

    def due(self, limit: int) -> builtins.list[Alert]:
        """The alerts whose time has come, the oldest first."""
        now = self._clock()
        is_due = (AlertRow.next_at <= now) | (AlertRow.next_at > now + _LONGEST_WAIT)
        waiting = (AlertRow.done_at.is_null(), is_due)
        with self._database.read() as connection:
            query = AlertRow.select().where(*waiting).order_by(AlertRow.seq).limit(limit)
            rows = list(query.execute(connection))
        return [Alert(row.seq, row.subject, row.body, row.tries, row.next_at, row.created_at) for row in rows]

    def take(self, alert: Alert, for_s: float) -> bool:
        """Keep an alert from all others for a while; False where somebody else has it, or it was told."""
        mine = (AlertRow.seq == alert.seq, AlertRow.next_at == alert.next_at, AlertRow.done_at.is_null())
        with self._database.write() as connection:
            until = self._clock() + timedelta(seconds=for_s)
            return bool(AlertRow.update(next_at=until).where(*mine).execute(connection))

    def waiting(self) -> int:
        """Count the alerts that nobody was told yet."""
        with self._database.read() as connection:
            count: int = AlertRow.select().where(AlertRow.done_at.is_null()).count(connection)
        return count

    def done(self, alert: Alert) -> None:
        """Write down that an alert was told, or is given up."""
        with self._database.write() as connection:
            AlertRow.update(done_at=self._clock()).where(AlertRow.seq == alert.seq).execute(connection)

    def later(self, alert: Alert, wait_s: float) -> None:
        """Have an alert tried again."""
        changes = {"tries": alert.tries + 1, "next_at": self._clock() + timedelta(seconds=wait_s)}
        with self._database.write() as connection:
            AlertRow.update(changes).where(AlertRow.seq == alert.seq).execute(connection)

    def forget(self, before: datetime) -> None:
        """Remove the alerts that were told before a time, and those that nobody has carried for long before it."""
        old = (AlertRow.done_at < before) | (AlertRow.created_at < before - _FORGOTTEN_AFTER)
        with self._database.write() as connection:
            AlertRow.delete().where(old).execute(connection)
