"""Looks after tokens: once a day each, and whenever one is refused. Decides what is told; sends nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from daemon.accounts.facebook import LOGIN_MIN, LOGIN_PREFIX, Looked
from daemon.accounts.life import Account, AccountState, outlook
from daemon.deliveries.setbacks import DeliveryError
from daemon.errors import UnknownAccount, VaultLocked
from daemon.store.accounts import REFUSED, AccountStore, Found
from daemon.store.notices import Notice
from daemon.store.vault import VaultStore

_EVERY = timedelta(hours=23)  # a day, without creeping later by the minutes that looking takes
_DEAD_EVERY = timedelta(hours=1)  # somebody may have granted the app its rights again
_SLACK = timedelta(days=1)
_log = logging.getLogger(__name__)


class Looker(Protocol):
    """Asks the far side of one kind of account."""

    def look(self, account: Account, now: datetime) -> Looked:
        """See `FacebookAccounts.look`."""


@dataclass(frozen=True, slots=True)
class TokenWatch:
    """Looks at accounts; `lookers` by their kind."""

    store: AccountStore
    vault: VaultStore
    lookers: Mapping[str, Looker]

    def run(self) -> None:
        """Look at every account whose time has come.

        Raises:
            StoreError: the tables cannot be read or written.
        """
        now = self.store.clock()
        self.vault.forget(LOGIN_PREFIX, now - timedelta(minutes=LOGIN_MIN))
        for account in self.store.list():
            if REFUSED in account.told:
                continue  # Facebook says both that the token is good and that it may not publish: a person decides
            every = _EVERY if account.state is AccountState.OK else _DEAD_EVERY
            if account.checked_at is None or not timedelta() <= now - account.checked_at < every:
                self.look(account)

    def look(self, account: Account) -> Account:
        """Look at one account now; returns what is known of it after that.

        Raises:
            StoreError: the tables cannot be read or written.
        """
        try:
            return self.look_now(account)
        except (DeliveryError, VaultLocked) as exc:
            told = {"action": "token_not_checked", "account": account.id, "reason": str(exc)}
            _log.warning("A token could not be looked at; nothing is known of it.", extra=told)
            return account

    def look_now(self, account: Account) -> Account:
        """The same, for who wants to know why nothing could be learnt.

        Raises:
            DeliveryError, VaultLocked: nothing could be; everything is as it was.
            StoreError, UnknownAccount: as `look`.
        """
        looked = self.lookers[account.kind].look(account, self.store.clock())
        if looked.found is None:
            self._died(account, looked.problem)
        else:
            self._is_well(account, looked.found, looked.renewed)
        return self.store.get(account.id)

    def refused(self, account_id: str, sentence: str, connected_at: datetime | None = None) -> None:
        """Deal with an account whose token was refused while something was published; `connected_at` is when that token
        was connected, None for whichever there is. Another one says nothing of the one that is there now.

        Raises:
            StoreError: the tables cannot be read or written.
        """
        try:
            account = self.store.get(account_id)
            if connected_at not in (None, account.connected_at):
                return
            looked = self.lookers[account.kind].look(account, self.store.clock())
        except UnknownAccount:
            return
        except (DeliveryError, VaultLocked):
            self._died(account, sentence)
        else:
            self._died(account, looked.problem or sentence, refused=not looked.problem)

    def _died(self, account: Account, problem: str, *, refused: bool = False) -> None:
        held = f'Nothing is published on "{account.name}" until it is connected again, and nothing is lost.'
        sentence = f"{held} {problem}"
        notice = _notice("token.expired", f"Vix: {account.name} cannot be published on", sentence, account)
        if self.store.died(account, problem, notice, refused=refused):
            _log.error("A token is dead.", extra={"action": "token_dead", "account": account.id, "reason": problem})

    def _is_well(self, account: Account, found: Found, renewed: str) -> None:
        known = replace(account, expires_at=found.expires_at, data_until=found.data_until, state=AccountState.OK)
        # Another end is another token, or the old one with more time.
        told = outlook(replace(known, told=()) if _is_later(known, account) else known, self.store.clock())
        notices = []
        if told.is_news:
            notices.append(_notice("token.expiring", f"Vix: {account.name} needs you soon", told.warning, known))
        if renewed:
            notices.append(_notice("token.renewed", f"Vix: {account.name}: the token was renewed", renewed, known))
        if account.state is not AccountState.OK:
            back = f'"{account.name}" can be published on again; what was held goes out.'
            notices.append(_notice("token.valid", f"Vix: {account.name} is back", back, known))
        self.store.looked(account, found, told, notices)
        _log.info("A token is good.", extra={"action": "token_good", "account": account.id, "ends": str(known.ends_at)})


def _is_later(known: Account, before: Account) -> bool:
    if known.ends_at is None or before.ends_at is None:
        return known.ends_at is not before.ends_at
    return known.ends_at > before.ends_at + _SLACK


def _notice(kind: str, subject: str, sentence: str, account: Account) -> Notice:
    ends_at = account.ends_at
    data = {
        "account_id": account.id,
        "account": account.name,
        "kind": account.kind,
        "ends_at": ends_at.isoformat(timespec="seconds") if ends_at else None,
    }
    return Notice(kind, subject, sentence, data)
