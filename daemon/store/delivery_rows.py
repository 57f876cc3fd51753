"""What happens to deliveries with their job, within the transaction that changes the job."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from daemon.deliveries.life import UNPUBLISHED, Delivery, NewDelivery, Setback, State, new_id
from daemon.jobs import Failure
from daemon.store.tables import AccountRow, DeliveryRow

ACCOUNT_OK = "ok"
FAILED_CODE = "delivery_failed"
RESTORED_CODE = "restored"  # it comes from a backup, and may be published since
_OVER = (State.DONE, State.FAILED, State.CANCELLED)


def insert(connection: Any, job_id: str, key_id: str, now: datetime, new: Sequence[NewDelivery]) -> None:
    """Write down what is to be published once the job's film is finished."""
    for one in new:
        DeliveryRow.insert(
            id=new_id(),
            job_id=job_id,
            key_id=key_id,
            target=one.target,
            account_id=one.account_id,
            state=State.WAITING,
            spec=one.spec,
            due_at=one.at or now,
            next_at=now,
            created_at=now,
        ).execute(connection)


def begin(connection: Any, job_id: str, now: datetime) -> bool:
    """Let the deliveries of a finished film go; False where there are none to wait for."""
    mine = (DeliveryRow.job_id == job_id, DeliveryRow.state == State.WAITING)
    for row in list(DeliveryRow.select().where(*mine).execute(connection)):
        due_at = max(row.due_at, now)
        state = State.READY if is_usable(connection, row.account_id) else State.HELD
        if (row.error or {}).get("code") == RESTORED_CODE:
            state = State.UNKNOWN
        DeliveryRow.update(state=state, due_at=due_at, next_at=due_at).where(DeliveryRow.seq == row.seq).execute(
            connection
        )
    return bool(_open_states(connection, job_id))


def call_off(connection: Any, job_id: str, now: datetime) -> None:
    """Cancel what is not being published. What is out goes on to its end."""
    mine = (DeliveryRow.job_id == job_id, DeliveryRow.state << tuple(UNPUBLISHED))
    DeliveryRow.update(state=State.CANCELLED, owner=None, ended_at=now).where(*mine).execute(connection)


def again(connection: Any, job_id: str, now: datetime, *, has_film: bool) -> bool:
    """Let failed deliveries, and those that were called off with their job, be tried anew; False where none was."""
    mine = (DeliveryRow.job_id == job_id, DeliveryRow.state << (State.FAILED, State.CANCELLED))
    fresh: dict[str, Any] = {
        "tries": 0,
        "orders": 0,
        "error": None,
        "ended_at": None,
        "remote": {},
        "sent_at": None,
        "next_at": now,
    }
    count: int = DeliveryRow.update(state=State.WAITING, **fresh).where(*mine).execute(connection)
    return bool(count) and (not has_film or begin(connection, job_id, now))


def outcome(connection: Any, job_id: str) -> Failure | bool | None:
    """What the deliveries of a job mean for it: True while one is open, the failure of the first that failed, None
    where all went well."""
    if _open_states(connection, job_id):
        return True
    failed = (DeliveryRow.job_id == job_id, DeliveryRow.state == State.FAILED)
    query = DeliveryRow.select().where(*failed).order_by(DeliveryRow.seq).limit(1)
    for row in query.execute(connection):
        error = row.error or {}
        message = f"The film is finished and could not be published: {error.get('message', 'nobody knows why')}"
        return Failure(FAILED_CODE, message, bool(error.get("permanent", True)))
    return None


def of_jobs(connection: Any, job_ids: Collection[str]) -> dict[str, tuple[Delivery, ...]]:
    """The deliveries of some jobs, in order."""
    found: dict[str, list[Delivery]] = {job_id: [] for job_id in job_ids}
    if job_ids:
        query = DeliveryRow.select().where(DeliveryRow.job_id << list(job_ids)).order_by(DeliveryRow.seq)
        for one in read_all(connection, list(query.execute(connection))):
            found[one.job_id].append(one)
    return {job_id: tuple(mine) for job_id, mine in found.items()}


def read_all(connection: Any, rows: Sequence[Any]) -> list[Delivery]:
    """Turn whole rows into deliveries, with what is known of their accounts."""
    ids = {row.account_id for row in rows}
    query = AccountRow.select(AccountRow.id, AccountRow.name, AccountRow.problem, AccountRow.warning)
    known = {row.id: row for row in query.where(AccountRow.id << list(ids)).execute(connection)} if ids else {}
    return [_delivery(row, known.get(row.account_id)) for row in rows]


def is_usable(connection: Any, account_id: str) -> bool:
    """Whether there is such an account, and nothing is known that would keep it from publishing."""
    mine = (AccountRow.id == account_id, AccountRow.state == ACCOUNT_OK)
    return bool(list(AccountRow.select(AccountRow.id).where(*mine).execute(connection)))


def _open_states(connection: Any, job_id: str) -> list[str]:
    mine = (DeliveryRow.job_id == job_id, DeliveryRow.state.not_in(_OVER))
    return [row.state for row in DeliveryRow.select(DeliveryRow.state).where(*mine).execute(connection)]


def _delivery(row: Any, account: Any) -> Delivery:
    return Delivery(
        id=row.id,
        seq=row.seq,
        job_id=row.job_id,
        key_id=row.key_id,
        target=row.target,
        account_id=row.account_id,
        state=State(row.state),
        spec=row.spec,
        remote=row.remote,
        tries=row.tries,
        orders=row.orders,
        claims=row.claims,
        owner=row.owner,
        due_at=row.due_at,
        next_at=row.next_at,
        sent_at=row.sent_at,
        error=Setback(**row.error) if row.error else None,
        warnings=tuple(row.warnings),
        created_at=row.created_at,
        ended_at=row.ended_at,
        account_name=account.name if account else "",
        account_note=(account.problem or account.warning) if account else "The account is not connected any more.",
    )
