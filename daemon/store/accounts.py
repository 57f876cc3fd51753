"""The accounts table: which pages are connected, how their tokens are, and what waits for them. Holds no secret."""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from daemon.accounts.life import Account, AccountState, Outlook
from daemon.deliveries.life import State
from daemon.errors import UnknownAccount
from daemon.store.database import Database
from daemon.store.events import Entry, record
from daemon.store.notices import Notice, Notices
from daemon.store.tables import AccountRow, DeliveryRow, utc_now

REFUSED = "refused"
"""Among what was told of an account: it may not publish although its token seems good."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the far side says of an account and its token."""

    remote_id: str
    name: str
    about: dict[str, Any]
    expires_at: datetime | None
    data_until: datetime | None


class AccountStore:
    """The accounts. `notices` writes down what operators are told, with what they are told of.

    Every method may raise what `Database.read` and `Database.write` raise; then it has changed nothing.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        notices: Notices = Notices(),  # noqa: B008 - a frozen value
    ) -> None:
        self._database = database
        self.clock = clock
        self._notices = notices

    def id_for(self, kind: str, remote_id: str) -> str:
        """The id that an account has, or is to have: the same for all who connect it at the same time."""
        with self._database.read() as connection:
            mine = (AccountRow.kind == kind, AccountRow.remote_id == remote_id)
            rows = list(AccountRow.select(AccountRow.id).where(*mine).execute(connection))
        return rows[0].id if rows else "acc_" + hashlib.sha256(f"{kind}:{remote_id}".encode()).hexdigest()[:16]

    def connect(self, account_id: str, kind: str, found: Found) -> Account:
        """Write down an account with a token that is good, in place of what was known of it; what is held for it goes
        out."""
        now = self.clock()
        fresh: dict[str, Any] = {
            "name": found.name,
            "state": AccountState.OK,
            "problem": "",
            "warning": "",
            "about": found.about,
            "told": [],
            "expires_at": found.expires_at,
            "data_until": found.data_until,
            "paused_until": None,
            "checked_at": now,
            "connected_at": now,
        }
        with self._database.write() as connection:
            if not AccountRow.update(fresh).where(AccountRow.id == account_id).execute(connection):
                AccountRow.insert(id=account_id, kind=kind, remote_id=found.remote_id, **fresh).execute(connection)
            _let_go(connection, account_id, now)
            return _account(_row(connection, account_id))

    def list(self, *, removed: bool = False) -> builtins.list[Account]:
        """Read all accounts by name, those that were removed only if they are asked for."""
        query = AccountRow.select() if removed else AccountRow.select().where(AccountRow.state != AccountState.REMOVED)
        with self._database.read() as connection:
            return [_account(row) for row in query.order_by(AccountRow.name, AccountRow.id).execute(connection)]

    def get(self, account_id: str) -> Account:
        """Read an account.

        Raises:
            UnknownAccount: there is none of this id, or it was removed.
        """
        with self._database.read() as connection:
            account = _account(_row(connection, account_id))
        if account.state is AccountState.REMOVED:
            raise UnknownAccount
        return account

    def remove(self, account_id: str) -> None:
        """Disconnect an account; what is to be published with it is held until it is connected again.

        Raises:
            UnknownAccount: there is none of this id.
        """
        with self._database.write() as connection:
            _row(connection, account_id)
            changes = {"state": AccountState.REMOVED, "problem": "The account was disconnected.", "warning": ""}
            AccountRow.update(changes).where(AccountRow.id == account_id).execute(connection)
            _hold(connection, account_id, str(changes["problem"]), self.clock())

    def looked(self, account: Account, found: Found, told: Outlook, notices: Sequence[Notice]) -> None:
        """Write down that an account's token is good, with what is said of it; what is held for it goes out."""
        now = self.clock()
        changes = {
            "name": found.name or account.name,
            "state": AccountState.OK,
            "problem": "",
            "warning": told.warning,
            "about": found.about,
            "told": builtins.list(told.told),
            "expires_at": found.expires_at,
            "data_until": found.data_until,
            "checked_at": now,
        }
        with self._database.write() as connection:
            if not _is_same(connection, account):
                return  # it was connected anew or removed meanwhile
            row = _row(connection, account.id)
            if (row.state, row.checked_at) != (account.state, account.checked_at):
                return  # somebody else has looked, and has told what there was to tell
            AccountRow.update(changes).where(AccountRow.id == account.id).execute(connection)
            if account.state is AccountState.DEAD:
                _let_go(connection, account.id, now)
            for notice in notices:
                self._notices.insert(connection, notice, now)

    def died(self, account: Account, problem: str, notice: Notice | None, *, refused: bool = False) -> bool:
        """Write down that an account cannot be used, hold what is to be published with it, and tell so once; False
        where that was known, or the account has another token by now. `refused`: although its token seems good."""
        now = self.clock()
        with self._database.write() as connection:
            if not _is_same(connection, account):
                return False
            row = _row(connection, account.id)
            was_known = row.state != AccountState.OK
            changes = {"state": AccountState.DEAD, "problem": problem, "warning": "", "checked_at": now}
            told = [*row.told, *([REFUSED] if refused and REFUSED not in row.told else [])]
            AccountRow.update(**changes, told=told).where(AccountRow.id == account.id).execute(connection)
            _hold(connection, account.id, problem, now)
            if notice is not None and not was_known:
                self._notices.insert(connection, notice, now)
        return not was_known

    def pause(self, account_id: str, until: datetime) -> None:
        """Leave an account alone for a while."""
        later = AccountRow.paused_until.is_null() | (AccountRow.paused_until < until)
        with self._database.write() as connection:
            AccountRow.update(paused_until=until).where(AccountRow.id == account_id, later).execute(connection)


def _row(connection: Any, account_id: str) -> Any:
    rows = list(AccountRow.select().where(AccountRow.id == account_id).execute(connection))
    if not rows:
        raise UnknownAccount
    return rows[0]


def _is_same(connection: Any, account: Account) -> bool:
    """Whether the account still has the token that it was read with."""
    row = _row(connection, account.id)
    return bool(row.connected_at == account.connected_at and row.state != AccountState.REMOVED)


def _hold(connection: Any, account_id: str, problem: str, now: datetime) -> None:
    """Hold what is ready, and write down why. What is being sent is found out once the account can be used again."""
    ready = (DeliveryRow.account_id == account_id, DeliveryRow.state == State.READY)
    for row in list(DeliveryRow.select(DeliveryRow.id, DeliveryRow.job_id).where(*ready).execute(connection)):
        entry = Entry("delivery.held", f"It waits until the account can be used: {problem}", "warning")
        record(connection, row.job_id, now, replace(entry, payload={"delivery_id": row.id}))
    DeliveryRow.update(state=State.HELD, owner=None, next_at=now).where(*ready).execute(connection)


def _let_go(connection: Any, account_id: str, now: datetime) -> None:
    held = (DeliveryRow.account_id == account_id, DeliveryRow.state == State.HELD)
    late = DeliveryRow.due_at <= now
    fresh = {"state": State.READY, "tries": 0, "owner": None, "error": None}
    DeliveryRow.update(next_at=now, **fresh).where(*held, late).execute(connection)
    DeliveryRow.update(next_at=DeliveryRow.due_at, **fresh).where(*held).execute(connection)


def _account(row: Any) -> Account:
    return Account(
        id=row.id,
        kind=row.kind,
        remote_id=row.remote_id,
        name=row.name,
        state=AccountState(row.state),
        problem=row.problem,
        warning=row.warning,
        about=row.about,
        told=tuple(row.told),
        expires_at=row.expires_at,
        data_until=row.data_until,
        paused_until=row.paused_until,
        checked_at=row.checked_at,
        connected_at=row.connected_at,
    )
