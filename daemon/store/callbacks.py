"""The outbox of callbacks: what has to be told, to whom, when next, and what came of each try. Sends nothing.

A try is counted and on the disk before its first byte. What was being sent when its sender died is sent again under
the same id: at least once, never twice at a time.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from peewee import fn

from daemon.store.database import Database
from daemon.store.tables import CallbackRow, CallbackTryRow, utc_now

_ID_LENGTH = 24
_ID_LETTERS = string.ascii_letters + string.digits
_LONGEST_HOST = 255
_BATCH = 500


class State(StrEnum):
    """Where a callback is in its life."""

    READY = "ready"  # waits for its time
    SENDING = "sending"  # a try is under way
    DONE = "done"  # the receiver has taken it
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class NewCallback:
    """A callback as it is handed in: `body` is sent as it is, not before `not_before`. `job_id` is None where it tells
    of no job."""

    job_id: str | None
    key_id: str
    type: str
    url: str
    headers: Mapping[str, str]
    body: str
    created_at: datetime
    not_before: datetime

    def __repr__(self) -> str:
        return f"NewCallback({self.job_id}, {self.type})"


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback as it is stored. `tries` counts the one under way; `next_at` is when it is due, or counts as lost."""

    id: str
    job_id: str | None
    key_id: str
    type: str
    url: str
    headers: dict[str, str]
    body: str
    state: State
    tries: int
    next_at: datetime
    first_try_at: datetime | None
    created_at: datetime
    ended_at: datetime | None

    def __repr__(self) -> str:
        return f"Callback({self.id}, {self.type}, {self.state})"


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: the answer's status, None where there was no answer, and a sentence that holds no secret."""

    at: datetime
    status: int | None
    message: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: the callback's new state, and for `READY` the seconds until the next."""

    attempt: Try
    state: State
    wait_s: float = 0.0


def insert(connection: Any, new: NewCallback) -> None:
    """Put a callback into the outbox, within the transaction of what it tells."""
    CallbackRow.insert(
        id="msg_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH)),
        job_id=new.job_id,
        key_id=new.key_id,
        type=new.type,
        host=_host(new.url),
        url=new.url,
        headers=dict(new.headers),
        body=new.body,
        state=State.READY,
        tries=0,
        next_at=new.not_before,
        created_at=new.created_at,
    ).execute(connection)


class CallbackStore:
    """The outbox. `clock` gives aware datetimes.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def claim_due(self, owner: str, visible_for_s: float) -> Callback | None:
        """Take a callback whose time has come and whose host is not being called, counting the try; None where there
        is none. First tries go before others, so that dead receivers do not hold up living ones.

        `owner` names one run of one worker process. Within `visible_for_s` nobody else takes the callback.
        """
        now = self._clock()
        with self._database.read() as connection:  # an idle sender looks often; it must not hold up writers
            if not list(_due(owner, now).execute(connection)):
                return None
        with self._database.write() as connection:
            rows = list(_due(owner, now).execute(connection))  # again: another sender may have been faster
            if not rows:
                return None
            CallbackRow.update(
                state=State.SENDING,
                owner=owner,
                tries=rows[0].tries + 1,
                first_try_at=rows[0].first_try_at or now,
                next_at=now + timedelta(seconds=visible_for_s),
            ).where(CallbackRow.id == rows[0].id).execute(connection)
            (row,) = CallbackRow.select().where(CallbackRow.id == rows[0].id).execute(connection)
        return _callback(row)

    def record(self, callback: Callback, owner: str, outcome: Outcome) -> bool:
        """Write down what came of a try; False when the callback is no longer this owner's."""
        now = self._clock()
        ended = outcome.state in (State.DONE, State.FAILED)
        query = CallbackRow.update(
            state=outcome.state,
            owner=None,
            next_at=now + timedelta(seconds=outcome.wait_s),
            ended_at=now if ended else None,
        ).where(
            CallbackRow.id == callback.id,
            CallbackRow.state == State.SENDING,
            CallbackRow.owner == owner,
            CallbackRow.tries == callback.tries,
        )
        attempt = outcome.attempt
        with self._database.write() as connection:
            mine: bool = query.execute(connection) == 1
            CallbackTryRow.insert(
                callback_id=callback.id,
                at=attempt.at,
                status=attempt.status,
                message=attempt.message,
                took_ms=attempt.took_ms,
            ).execute(connection)
        return mine

    def next_due_at(self, owner: str) -> datetime | None:
        """Say when `claim_due` is worth asking again; None where nothing waits."""
        query = CallbackRow.select(CallbackRow.next_at).where(_waiting(owner)).order_by(CallbackRow.next_at).limit(1)
        with self._database.read() as connection:
            rows = list(query.execute(connection))
        return rows[0].next_at if rows else None

    def of_job(self, job_id: str, key_id: str) -> list[tuple[Callback, list[Try]]]:
        """Read the callbacks about a job that are this key's, the oldest first, each with its tries."""
        mine = (CallbackRow.job_id == job_id, CallbackRow.key_id == key_id)
        order = (CallbackRow.created_at, CallbackRow.id)
        with self._database.read() as connection:
            rows = list(CallbackRow.select().where(*mine).order_by(*order).execute(connection))
            tries = CallbackTryRow.select().where(CallbackTryRow.callback_id << [row.id for row in rows])
            found = list(tries.order_by(CallbackTryRow.seq).execute(connection)) if rows else []
        return [(_callback(row), [_try(one) for one in found if one.callback_id == row.id]) for row in rows]

    def redeliver(self, job_id: str, key_id: str) -> int:
        """Make all callbacks about a job that are this key's due now, whatever came of them before, with all their
        tries ahead; those under way stay as they are. Returns how many there are, those under way included."""
        now = self._clock()
        mine = (CallbackRow.job_id == job_id, CallbackRow.key_id == key_id)
        again = CallbackRow.update(state=State.READY, tries=0, next_at=now, first_try_at=None, ended_at=None)
        with self._database.write() as connection:
            again.where(*mine, CallbackRow.state != State.SENDING).execute(connection)
            count: int = CallbackRow.select().where(*mine).count(connection)
        return count

    def release_seat(self, seat: str) -> int:
        """Make due now what the senders of a seat were sending; only for who holds the seat's lock, before its first
        `claim_due`. An owner is its seat, a dot and the rest."""
        query = CallbackRow.update(state=State.READY, owner=None, next_at=self._clock())
        with self._database.write() as connection:
            released: int = query.where(
                CallbackRow.state == State.SENDING, CallbackRow.owner.startswith(f"{seat}.")
            ).execute(connection)
        return released

    def counts(self) -> dict[State, int]:
        """Count the callbacks in each state."""
        query = CallbackRow.select(CallbackRow.state, fn.COUNT(CallbackRow.id).alias("count"))
        with self._database.read() as connection:
            rows = list(query.group_by(CallbackRow.state).tuples().execute(connection))
        return {state: dict(rows).get(state, 0) for state in State}

    def forget(self, ended_before: datetime) -> int:
        """Remove the callbacks that ended before a time, with their tries; returns how many there were."""
        removed = 0
        while True:
            # Anew each time: a query keeps the rows that it has read once.
            query = CallbackRow.select(CallbackRow.id).where(CallbackRow.ended_at < ended_before).limit(_BATCH)
            with self._database.write() as connection:
                ids = [row.id for row in query.execute(connection)]
                if not ids:
                    return removed
                CallbackTryRow.delete().where(CallbackTryRow.callback_id << ids).execute(connection)
                CallbackRow.delete().where(CallbackRow.id << ids).execute(connection)
            removed += len(ids)


def _waiting(owner: str) -> Any:
    """What is to be sent, now or later. What another owner is sending counts as lost when its time comes; what this
    one is sending does not, or a clock that is put forward would have it sent twice at a time."""
    others = (CallbackRow.state == State.SENDING) & (CallbackRow.owner != owner)
    return (CallbackRow.state == State.READY) | others


def _due(owner: str, now: datetime) -> Any:
    """The query for the callbacks to take next."""
    busy = CallbackRow.alias()
    under_way = (busy.state == State.SENDING) & ((busy.owner == owner) | (busy.next_at > now))
    hosts = busy.select(busy.host).where(under_way)
    return (
        CallbackRow.select()
        .where(_waiting(owner), CallbackRow.next_at <= now, CallbackRow.host.not_in(hosts))
        .order_by(CallbackRow.tries, CallbackRow.next_at)
        .limit(1)
    )


def _host(url: str) -> str:
    """Cut host and port out of a URL. Never raises: what is wrong with a URL is found out when it is called."""
    authority = url.partition("://")[2]
    for end in "/?#":
        authority = authority.partition(end)[0]
    return authority.rpartition("@")[2].lower()[:_LONGEST_HOST]


def _callback(row: Any) -> Callback:
    return Callback(
        id=row.id,
        job_id=row.job_id,
        key_id=row.key_id,
        type=row.type,
        url=row.url,
        headers=row.headers,
        body=row.body,
        state=State(row.state),
        tries=row.tries,
        next_at=row.next_at,
        first_try_at=row.first_try_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _try(row: Any) -> Try:
    return Try(row.at, row.status, row.message, row.took_ms)
