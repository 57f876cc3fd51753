"""The outbox of deliveries: what is to be published, whose turn it is, and what came of it. Publishes nothing.

`sending` is on the disk before the first byte that can publish. From then on only the far side's word, or a person's,
leads back to `ready`: see `daemon.deliveries.life.NEXT`. Every write of whoever is at a delivery holds only while the
row still carries his claim.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from daemon.accounts.life import AccountState
from daemon.deliveries.life import FINAL, NEXT, Delivery, Setback, State, Step, plain
from daemon.errors import UnknownDelivery, WrongState
from daemon.jobs import Status
from daemon.store.database import Database
from daemon.store.delivery_rows import is_usable, read_all
from daemon.store.events import Entry, record
from daemon.store.job_ends import Announce, JobEnds
from daemon.store.notices import Notice, Notices
from daemon.store.tables import AccountRow, DeliveryRow, JobRow, utc_now

_CLAIMABLE = (State.READY, State.SENDING, State.ACCEPTED)
# These come before others of the same account, in the order in which they became due.
_IN_LINE = (State.READY, State.SENDING)
# Longer than anything is put off: what waits for longer was put off by a clock that was ahead.
LONGEST_WAIT = timedelta(days=2)
_TOLD = {State.DONE: "info", State.FAILED: "error", State.UNKNOWN: "warning", State.HELD: "warning"}
_ALARMS = (State.FAILED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, the newest first. `next` is the `before` of the page after this one."""

    deliveries: tuple[Delivery, ...]
    next: int | None


class DeliveryStore:
    """The outbox. `clock` gives aware datetimes; `announce` says which callbacks the end of a job makes, `notices`
    writes down what operators are told.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        announce: Announce = lambda job: (),
        notices: Notices = Notices(),  # noqa: B008 - a frozen value
    ) -> None:
        self._database = database
        self._clock = clock
        self._ends = JobEnds(clock, announce)
        self._notices = notices

    def claim_due(self, owner: str, lease_s: float, but: Collection[str] = ()) -> Delivery | None:
        """Take the delivery that is next; None where nothing is due. One of an account is taken at a time, those of an
        account that cannot be used or wants to be left alone not at all, and none overtakes another that waits only
        for its next try. What is out although its account was disconnected is taken, as it has to come to an end.

        `owner` names one run of one worker process. Within `lease_s` nobody else takes it; `but` are the ids of those
        that somebody is at, whatever the clock says.
        """
        now = self._clock()
        with self._database.read() as connection:  # an idle worker asks all the time; it must not hold up writers
            if not list(_due(now, but).execute(connection)):
                return None
        with self._database.write() as connection:
            rows = list(_due(now, but).execute(connection))
            if not rows:
                return None
            (row,) = rows
            _write(connection, row, owner=owner, claims=row.claims + 1, next_at=now + timedelta(seconds=lease_s))
            return read_all(connection, [row])[0]

    def go_on(self, delivery: Delivery, step: Step, lease_s: float) -> Delivery | None:
        """Write down how far a delivery is and keep it for `lease_s` more; None when it was taken away."""
        with self._database.write() as connection:
            row = _held(connection, delivery)
            if row is None:
                return None
            now = self._clock()
            self._change(connection, row, step, now, next_at=now + timedelta(seconds=lease_s))
            return read_all(connection, [row])[0]

    def let_go(self, delivery: Delivery, step: Step, notice: Notice | None = None) -> bool:
        """Write down what came of being at a delivery, and leave it until there is something to do again, and have
        operators told of it; False when it was taken away."""
        with self._database.write() as connection:
            row = _held(connection, delivery)
            if row is None:
                return False
            now = self._clock()
            step = _as_things_are(connection, row, step)
            self._change(connection, row, step, now, owner=None, next_at=now + timedelta(seconds=step.wait_s))
            self._ended(connection, row, now)
            if notice is not None:
                self._notices.insert(connection, notice, now)
        return True

    def resolve(self, delivery_id: str, key_id: str | None, state: State, link: str = "") -> Delivery:
        """Write down what a person has seen of a delivery that the far side cannot tell of: that it is DONE, or is not
        published and to be sent again (READY) or given up (FAILED).

        Raises:
            UnknownDelivery: there is none, or it belongs to another key.
            WrongState: it is known what came of it.
        """
        with self._database.write() as connection:
            row = _row(connection, delivery_id, key_id)
            if row.state != State.UNKNOWN:
                raise WrongState("resolved", row.state, "delivery")
            now = self._clock()
            # What was begun on the far side may be what nobody can tell of: the next try begins anew.
            remote = {} if state is State.READY else {**row.remote, **({"link": link} if link else {})}
            error = Setback("given_up", "Somebody has given it up.", True) if state is State.FAILED else None
            step = _as_things_are(connection, row, Step(state, remote, error=error))
            self._change(connection, row, step, now, owner=None, next_at=now)
            self._ended(connection, row, now)
            return read_all(connection, [row])[0]

    def get(self, delivery_id: str, key_id: str | None = None) -> Delivery:
        """Read a delivery; with `key_id`, only if it is that key's.

        Raises:
            UnknownDelivery: there is none, or it belongs to another key.
        """
        with self._database.read() as connection:
            return read_all(connection, [_row(connection, delivery_id, key_id)])[0]

    def page(
        self, key_id: str | None, *, states: Collection[State] = (), limit: int, before: int | None = None
    ) -> DeliveryPage:
        """Read a page of deliveries: of a key or of all, in one of `states` or any, and that came before `before`."""
        query = DeliveryRow.select().order_by(DeliveryRow.seq.desc()).limit(limit + 1)
        if key_id is not None:
            query = query.where(DeliveryRow.key_id == key_id)
        if states:
            query = query.where(DeliveryRow.state << list(states))
        if before is not None:
            query = query.where(DeliveryRow.seq < before)
        with self._database.read() as connection:
            rows = list(query.execute(connection))
            found = read_all(connection, rows[:limit])
        return DeliveryPage(tuple(found), rows[limit - 1].seq if len(rows) > limit else None)

    def release_seat(self, seat: str) -> int:
        """Take from the dead workers of a seat what they were at; only for who holds the seat's lock. It is due at
        once, but for what was being sent: before its time, nobody knows what came of that."""
        theirs = (DeliveryRow.owner.startswith(f"{seat}."), DeliveryRow.state << _CLAIMABLE)
        was_sent = (DeliveryRow.state == State.SENDING) & (DeliveryRow.claims == DeliveryRow.sent_claim)
        with self._database.write() as connection:
            DeliveryRow.update(next_at=self._clock()).where(*theirs, ~was_sent).execute(connection)
            count: int = DeliveryRow.update(owner=None).where(*theirs).execute(connection)
        return count

    def tidy(self) -> int:
        """Make due now what a clock that was ahead has put off for longer than anything waits; returns how many."""
        now = self._clock()
        latest = now + LONGEST_WAIT
        too_far = (DeliveryRow.state << _CLAIMABLE, DeliveryRow.next_at > latest)
        is_late = (DeliveryRow.due_at <= now) | (DeliveryRow.created_at > latest)
        with self._database.read() as connection:
            rows = list(DeliveryRow.select().where(*too_far, is_late).execute(connection))
        rows = [row for row in rows if row.due_at <= now or not _asks_for_a_time(row.spec)]
        for row in rows:
            with self._database.write() as connection:
                changes = {"next_at": now, "due_at": min(row.due_at, now)}
                DeliveryRow.update(changes).where(DeliveryRow.seq == row.seq, *too_far).execute(connection)
        return len(rows)

    def sent_since(self, account_id: str, since: datetime) -> list[datetime]:
        """When orders to publish went out for an account since a time, in order, without those that came to nothing."""
        sent = (
            DeliveryRow.account_id == account_id,
            DeliveryRow.sent_at >= since,
            DeliveryRow.state << (State.SENDING, State.ACCEPTED, State.UNKNOWN, State.DONE),
        )
        query = DeliveryRow.select(DeliveryRow.sent_at).where(*sent).order_by(DeliveryRow.sent_at)
        with self._database.read() as connection:
            return [row.sent_at for row in query.execute(connection)]

    def film_of(self, delivery: Delivery) -> tuple[str, dict[str, Any]] | None:
        """The stem of the film's files and what the job's result says of it; None where the film is gone."""
        with self._database.read() as connection:
            query = JobRow.select(JobRow.film, JobRow.result).where(JobRow.id == delivery.job_id)
            rows = list(query.execute(connection))
        return (rows[0].film, rows[0].result or {}) if rows and rows[0].film else None

    def shown_clips(self, account_ids: Collection[str], posts: int) -> list[str]:
        """The clips, as `style/name`, of the films that were last given out to be published with these accounts, the
        last first: of as many as `posts` an account."""
        found: dict[str, None] = {}
        given_up = (State.FAILED, State.CANCELLED)
        with self._database.read() as connection:
            for account_id in account_ids:
                mine = (DeliveryRow.account_id == account_id, DeliveryRow.state.not_in(given_up))
                made = JobRow.select(JobRow.id).where(JobRow.id == DeliveryRow.job_id, JobRow.result.is_null(False))
                query = DeliveryRow.select(DeliveryRow.job_id).where(*mine, fn.EXISTS(made))
                latest = query.order_by(DeliveryRow.due_at.desc(), DeliveryRow.seq.desc()).limit(posts)
                ids = [row.job_id for row in latest.execute(connection)]
                rows = {row.id: row.result for row in JobRow.select().where(JobRow.id << ids).execute(connection)}
                for job_id in ids:
                    found.update(dict.fromkeys(_clips(rows.get(job_id) or {})))
        return list(found)

    def count(self, state: State) -> int:
        """Count the deliveries in one state."""
        with self._database.read() as connection:
            count: int = DeliveryRow.select().where(DeliveryRow.state == state).count(connection)
        return count

    def counts(self) -> dict[State, int]:
        """Count the deliveries in each state."""
        query = DeliveryRow.select(DeliveryRow.state, fn.COUNT(DeliveryRow.seq)).group_by(DeliveryRow.state)
        with self._database.read() as connection:
            found = dict(query.tuples().execute(connection))
        return {state: found.get(state, 0) for state in State}

    def _change(self, connection: Any, row: Any, step: Step, now: datetime, **changes: Any) -> None:
        """Change a row's state, and write down and tell what is news about it."""
        before = State(row.state)
        if step.state not in NEXT[before]:
            raise ValueError(f"{row.id} cannot go from {before} to {step.state}")
        if step.state is State.SENDING and before is State.READY:
            changes |= {"sent_at": now, "sent_claim": row.claims, "orders": row.orders + 1}
        _write(
            connection,
            row,
            state=step.state,
            remote=step.remote,
            tries=step.tries,
            error=asdict(step.error) if step.error else None,
            warnings=list(dict.fromkeys([*row.warnings, *step.warnings])),
            ended_at=now if step.state in FINAL else None,
            **changes,
        )
        if step.state is not before:
            self._tell(connection, row, now)

    def _tell(self, connection: Any, row: Any, now: datetime) -> None:
        (delivery,) = read_all(connection, [row])
        level = _TOLD.get(delivery.state, "info")
        why = f" {delivery.error.message}" if delivery.error else ""
        about = {"delivery_id": delivery.id, "target": delivery.target, "link": delivery.remote.get("link")}
        sentence = _SENTENCES[delivery.state].format(where=f"{delivery.target} ({delivery.account_name})") + why
        entry = Entry(f"delivery.{delivery.state}", sentence, level, about)
        record(connection, delivery.job_id, now, entry)
        if delivery.state in _TOLD:
            subject = f"Vix: a film for {delivery.account_name or delivery.target} is {delivery.state}"
            notice = Notice(
                f"delivery.{delivery.state}",
                subject,
                f"{sentence} (delivery {delivery.id} of {delivery.job_id})",
                plain(delivery),
                delivery.job_id,
                is_alarm=delivery.state in _ALARMS,
            )
            self._notices.insert(connection, notice, now)

    def _ended(self, connection: Any, row: Any, now: datetime) -> None:
        if row.state in FINAL:
            self._ends.delivered(connection, row.job_id)


_SENTENCES = {
    State.WAITING: "Publishing on {where} waits for the film.",
    State.READY: "Nothing is published on {where}; it is tried again.",
    State.HELD: "Publishing on {where} is held until the account can be used.",
    State.SENDING: "The order to publish on {where} goes out.",
    State.ACCEPTED: "{where} has taken the film and works on it.",
    State.UNKNOWN: "Nobody can tell whether the film is published on {where}; look there, and say so with "
    "./vix deliveries resolve.",
    State.DONE: "The film is published on {where}.",
    State.FAILED: "The film is not published on {where}.",
    State.CANCELLED: "Publishing on {where} is called off.",
}


def _as_things_are(connection: Any, row: Any, step: Step) -> Step:
    """What would be ready is held where its account cannot be used, and called off where its job was meanwhile."""
    if step.state is not State.READY:
        return step
    going_out = (JobRow.id == row.job_id, JobRow.status == Status.DELIVERING)
    if not list(JobRow.select(JobRow.seq).where(*going_out).execute(connection)):
        return replace(step, state=State.CANCELLED)
    return step if is_usable(connection, row.account_id) else replace(step, state=State.HELD)


def _clips(result: dict[str, Any]) -> list[str]:
    clips = result.get("clips")
    names = [clip.get("name") for clip in clips if isinstance(clip, dict)] if isinstance(clips, list) else []
    return [f"{result.get('style')}/{name}" for name in names]


def _row(connection: Any, delivery_id: str, key_id: str | None) -> Any:
    query = DeliveryRow.select().where(DeliveryRow.id == delivery_id)
    if key_id is not None:
        query = query.where(DeliveryRow.key_id == key_id)
    rows = list(query.execute(connection))
    if not rows:
        raise UnknownDelivery
    return rows[0]


def _held(connection: Any, delivery: Delivery) -> Any | None:
    """The row while the claim holds."""
    mine = (
        DeliveryRow.seq == delivery.seq,
        DeliveryRow.owner == delivery.owner,
        DeliveryRow.claims == delivery.claims,
        DeliveryRow.state << _CLAIMABLE,
    )
    rows = list(DeliveryRow.select().where(*mine).execute(connection))
    return rows[0] if rows else None


def _write(connection: Any, row: Any, **changes: Any) -> None:
    DeliveryRow.update(changes).where(DeliveryRow.seq == row.seq).execute(connection)
    for name, value in changes.items():
        setattr(row, name, value)


def _asks_for_a_time(spec: dict[str, Any]) -> bool:
    return spec.get("at") is not None and spec.get("scheduled_by") == "vix"


def _due(now: datetime, but: Collection[str]) -> Any:
    """The query for the delivery to take next."""
    other = DeliveryRow.alias()
    is_same_account = other.account_id == DeliveryRow.account_id
    is_before = (other.due_at < DeliveryRow.due_at) | (
        (other.due_at == DeliveryRow.due_at) & (other.seq < DeliveryRow.seq)
    )
    is_leased = (other.next_at > now) | (other.id << list(but)) if but else other.next_at > now
    is_under_way = other.owner.is_null(False) & is_leased
    is_in_front = is_before & (other.state << _IN_LINE) & (other.due_at <= now) & (other.next_at > now)
    # By state, too, or all that an account has ever published is read for each that is due.
    is_open = other.state << _CLAIMABLE
    in_the_way = other.select(other.seq).where(is_same_account, is_open, is_under_way | is_in_front)
    until = AccountRow.paused_until
    is_free = until.is_null() | (until <= now) | (until > now + LONGEST_WAIT)  # of a clock that was ahead
    account = AccountRow.select(AccountRow.id).where(AccountRow.id == DeliveryRow.account_id)
    is_out = DeliveryRow.state << (State.SENDING, State.ACCEPTED)
    may_go = account.where(
        ((AccountRow.state == AccountState.OK) & is_free) | ((AccountRow.state == AccountState.REMOVED) & is_out)
    )
    query = DeliveryRow.select().where(
        DeliveryRow.state << _CLAIMABLE,
        DeliveryRow.next_at <= now,
        fn.EXISTS(may_go),
        ~fn.EXISTS(in_the_way),
    )
    if but:
        query = query.where(DeliveryRow.id.not_in(list(but)))
    return query.order_by(DeliveryRow.due_at, DeliveryRow.seq).limit(1)
