"""The errand table: what an operator asks the worker to do between two films, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.store.database import Database
from daemon.store.tables import ErrandRow, utc_now

MOST_TRIES = 3
_GIVEN_UP = {"error": "The worker died each time it did this; no more tries."}
_TRIES = "tries"


@dataclass(frozen=True, slots=True)
class Errand:
    """One errand. `answer` is there once `done_at` is: JSON, with `host` where a worker has done it, and `error` where
    that went wrong."""

    id: int
    name: str
    argument: str
    asked_at: datetime
    done_at: datetime | None = None
    answer: dict[str, Any] | None = None


class ErrandStore:
    """The errand table. `clock` gives aware datetimes.

    Two workers may be given the same errand; doing one twice must be harmless. Every method may raise what
    `Database.read` and `Database.write` raise.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def ask(self, name: str, argument: str = "") -> Errand:
        """Ask for an errand; the one that waits already where it is the same."""
        same = (ErrandRow.name == name, ErrandRow.argument == argument)
        with self._database.write() as connection:
            if (row := _oldest_open(connection, *same)) is None:
                ErrandRow.insert(name=name, argument=argument, asked_at=self._clock()).execute(connection)
                row = _oldest_open(connection, *same)
        return _errand(row)

    def next(self) -> Errand | None:
        """Take the oldest errand that is not done, counting the try; None where there is none.

        One that was taken too often without an end has killed its worker each time, and is given up.
        """
        with self._database.read() as connection:  # an idle worker asks all the time; it must not hold up writers
            if _oldest_open(connection) is None:
                return None
        with self._database.write() as connection:
            while (row := _oldest_open(connection)) is not None:
                tries = (row.answer or {}).get(_TRIES, 0) + 1
                if tries <= MOST_TRIES:
                    _change(connection, row.seq, answer={_TRIES: tries})
                    return _errand(row)
                _change(connection, row.seq, answer=_GIVEN_UP, done_at=self._clock())
        return None

    def put_off(self, errand: Errand) -> None:
        """Leave an errand for later that was interrupted on purpose: the try does not count."""
        with self._database.write() as connection:
            _change(connection, errand.id, answer=None)

    def done(self, errand: Errand, answer: dict[str, Any]) -> None:
        """Write down what came of an errand."""
        with self._database.write() as connection:
            _change(connection, errand.id, answer=answer, done_at=self._clock())

    def recent(self, limit: int = 20) -> list[Errand]:
        """Read the errands that were asked for last, the newest first."""
        query = ErrandRow.select().order_by(ErrandRow.seq.desc()).limit(limit)
        with self._database.read() as connection:
            rows = list(query.execute(connection))
        return [_errand(row) for row in rows]

    def forget(self, before: datetime) -> int:
        """Remove errands that were done before a time; how many there were."""
        query = ErrandRow.delete().where(ErrandRow.done_at < before)
        with self._database.write() as connection:
            count: int = query.execute(connection)
        return count


def _oldest_open(connection: Any, *conditions: Any) -> Any:
    query = ErrandRow.select().where(ErrandRow.done_at.is_null(), *conditions)
    return next(iter(query.order_by(ErrandRow.seq).limit(1).execute(connection)), None)


def _change(connection: Any, seq: int, **values: Any) -> None:
    ErrandRow.update(**values).where(ErrandRow.seq == seq, ErrandRow.done_at.is_null()).execute(connection)


def _errand(row: Any) -> Errand:
    answer = row.answer if row.done_at is not None else None
    return Errand(row.seq, row.name, row.argument, row.asked_at, row.done_at, answer)
