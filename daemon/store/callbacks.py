"""The outbox of callbacks: what has to be told, to whom, when next, and what came of each try. Sends nothing.

A try is counted and on the disk before its first byte. What was being sent when its sender died is sent again under
the same id: at least once, and never twice at a time where the clocks of all machines differ by less than a try counts
as under way.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from peewee import fn

from daemon.store.database import Database
from daemon.store.tables import CallbackRow, CallbackTryRow, JobRow, utc_now

_ID_LENGTH = 24
_ID_LETTERS = string.ascii_letters + string.digits
_LONGEST_HOST = 255
_BATCH = 500
# Longer than any wait before a first try, and than any after one. What is put off for longer was so by a clock that
# was ahead.
_LONGEST_FIRST = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=12)


class State(StrEnum):
    """Where a callback is in its life."""

    READY = "ready"  # waits for its time
    SENDING = "sending"  # a try is under way
    DONE = "done"  # the receiver has taken it
    FAILED = "failed"  # given up
    SUPERSEDED = "superseded"  # not told in time: the job was tried again, and what it told is not true any more


@dataclass(frozen=True, slots=True)
class NewCallback:
    """A callback as it is handed in: `body` is sent as it is, not before `not_before`. `job_id` is None where it tells
    of no job; `created_at` is when the job ended, the same for all that tell of one end."""

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


def supersede(connection: Any, job_id: str, now: datetime) -> None:
    """End what is not delivered about a job, within the transaction in which its end ceases to be true. A try that is
    under way goes on, and its host has no other meanwhile."""
    undelivered = (CallbackRow.job_id == job_id, CallbackRow.state << (State.READY, State.SENDING))
    CallbackRow.update(state=State.SUPERSEDED, ended_at=now).where(*undelivered).execute(connection)


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

    def record(self, callback: Callback, owner: str, outcome: Outcome) -> State | None:
        """Write down what came of a try. Returns the state that the callback has now, which is SUPERSEDED where it was
        ended meanwhile and not delivered; None when it is no longer this owner's."""
        now, attempt = self._clock(), outcome.attempt
        mine = (CallbackRow.id == callback.id, CallbackRow.owner == owner, CallbackRow.tries == callback.tries)
        with self._database.write() as connection:
            rows = list(CallbackRow.select().where(*mine).execute(connection))
            for row in rows:
                superseded = row.state == State.SUPERSEDED and outcome.state is not State.DONE
                row.state = State.SUPERSEDED if superseded else outcome.state
                CallbackRow.update(
                    state=row.state,
                    owner=None,
                    next_at=now + timedelta(seconds=outcome.wait_s),
                    ended_at=None if row.state is State.READY else now,
                ).where(*mine).execute(connection)
            CallbackTryRow.insert(
                callback_id=callback.id,
                at=attempt.at,
                status=attempt.status,
                message=attempt.message,
                took_ms=attempt.took_ms,
            ).execute(connection)
        return rows[0].state if rows else None

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
        """Make all callbacks about the present end of a job that are this key's due now, whatever came of them before,
        with all their tries ahead; those under way stay as they are. Returns how many there are, those under way
        included."""
        again = CallbackRow.update(state=State.READY, tries=0, next_at=self._clock(), first_try_at=None, ended_at=None)
        with self._database.write() as connection:
            ids = _of_present_end(connection, job_id, key_id)
            again.where(CallbackRow.id << ids, CallbackRow.state != State.SENDING).execute(connection)
        return len(ids)

    def release_seat(self, seat: str) -> int:
        """Make due now what the senders of a seat were sending; only for who holds the seat's lock, before its first
        `claim_due`. An owner is its seat, a dot and the rest."""
        with self._database.write() as connection:
            return _release(connection, CallbackRow.owner.startswith(f"{seat}."), self._clock())

    def tidy(self, owner: str, under_way: Collection[str]) -> int:
        """Make due now what nobody would send otherwise; returns how many there were: what this owner was sending and
        is not any more (`under_way` are the ids of what it is), and what a clock that was ahead has put off."""
        now = self._clock()
        lost, put_off = _lost(owner, under_way, now), _put_off(now)
        with self._database.read() as connection:
            if not list(CallbackRow.select(CallbackRow.id).where(lost | put_off).limit(1).execute(connection)):
                return 0
        with self._database.write() as connection:
            pulled: int = CallbackRow.update(next_at=now).where(put_off).execute(connection)
            return pulled + _release(connection, lost, now)

    def stands_still(self, since: datetime) -> bool:
        """Whether something was due at that time already, and nothing at all was tried after it."""
        due = CallbackRow.select(CallbackRow.id).where(CallbackRow.state == State.READY, CallbackRow.next_at < since)
        last = CallbackTryRow.select(CallbackTryRow.at).order_by(CallbackTryRow.seq.desc())
        with self._database.read() as connection:
            waits = list(due.limit(1).execute(connection))
            return bool(waits) and all(row.at < since for row in last.limit(1).execute(connection))

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


def _of_present_end(connection: Any, job_id: str, key_id: str) -> list[str]:
    """The ids of a key's callbacks about the end that a job has now: they say what it is, and are the last to do so.
    The time of the end itself may have been put right since."""
    jobs = list(JobRow.select(JobRow.status).where(JobRow.id == job_id).execute(connection))
    types = [f"job.{job.status}" for job in jobs]
    mine = (CallbackRow.job_id == job_id, CallbackRow.key_id == key_id, CallbackRow.type << types)
    found = CallbackRow.select().where(*mine, CallbackRow.state != State.SUPERSEDED)
    rows = list(found.order_by(CallbackRow.created_at.desc()).execute(connection))
    return [row.id for row in rows if row.created_at == rows[0].created_at]


def _release(connection: Any, tries: Any, now: datetime) -> int:
    """End these tries without an outcome; returns how many are to be made again."""
    CallbackRow.update(owner=None).where(CallbackRow.state == State.SUPERSEDED, tries).execute(connection)
    again = CallbackRow.update(state=State.READY, owner=None, next_at=now)
    count: int = again.where(CallbackRow.state == State.SENDING, tries).execute(connection)
    return count


def _lost(owner: str, under_way: Collection[str], now: datetime) -> Any:
    """Tries that nobody makes any more: this owner's that are not under way, and those of others that would count as
    under way for longer than any wait."""
    mine = (CallbackRow.owner == owner) & CallbackRow.id.not_in(list(under_way))
    others = (CallbackRow.owner != owner) & (CallbackRow.next_at > now + LONGEST_WAIT)
    return (CallbackRow.state << (State.SENDING, State.SUPERSEDED)) & (mine | others)


def _put_off(now: datetime) -> Any:
    """What waits for a time that is too far ahead to be meant."""
    untried = (CallbackRow.tries == 0) & (CallbackRow.next_at > now + _LONGEST_FIRST)
    return (CallbackRow.state == State.READY) & (untried | (CallbackRow.next_at > now + LONGEST_WAIT))


def _waiting(owner: str) -> Any:
    """What is to be sent, now or later. What another owner is sending counts as lost when its time comes; what this
    one is sending does not, or a clock that is put forward would have it sent twice at a time."""
    others = (CallbackRow.state == State.SENDING) & (CallbackRow.owner != owner)
    return (CallbackRow.state == State.READY) | others


def _due(owner: str, now: datetime) -> Any:
    """The query for the callbacks to take next."""
    busy = CallbackRow.alias()
    being_sent = (busy.state << (State.SENDING, State.SUPERSEDED)) & busy.owner.is_null(False)
    hosts = busy.select(busy.host).where(being_sent, (busy.owner == owner) | (busy.next_at > now))
    return (
        CallbackRow.select()
        .where(_waiting(owner), CallbackRow.next_at <= now, CallbackRow.host.not_in(hosts))
        .order_by(CallbackRow.tries, CallbackRow.next_at)
        .limit(1)
    )


def _host(url: str) -> str:
    """Cut host and port out of a URL. Never raises: what is wrong with a URL is found out when it is called."""
    scheme, _, authority = url.partition("://")
    for end in "/?#":
        authority = authority.partition(end)[0]
    host = authority.rpartition("@")[2].lower()
    # However it is written, it is one receiver.
    host = host.removesuffix({"http": ":80", "https": ":443"}.get(scheme.lower(), ""))
    return host.removesuffix(".").replace(".:", ":")[:_LONGEST_HOST]


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
