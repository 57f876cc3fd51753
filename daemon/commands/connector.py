"""Connects accounts for the API, which loads what that takes only once somebody does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.errors import VaultLocked

if TYPE_CHECKING:
    from daemon.accounts.facebook import FacebookAccounts
    from daemon.accounts.life import Account
    from daemon.accounts.watch import TokenWatch


@dataclass(frozen=True, slots=True)
class LazyConnector:
    """See `daemon.web.connector.Connector`. `facebook` and `watch` build what works, `drop` forgets secrets."""

    facebook: Callable[[], FacebookAccounts]
    watch: Callable[[], TokenWatch]
    drop: Callable[[str], object]

    def connect(self, token: str, app_id: str, app_secret: str, pages: Collection[str]) -> list[Account]:
        from daemon.accounts.facebook import Given

        return self.facebook().connect(Given(token, app_id, app_secret), pages)

    def begin_login(self, app_id: str, app_secret: str, redirect_url: str) -> tuple[str, str]:
        from daemon.facebook.tokens import App

        return self.facebook().begin_login(App(app_id, app_secret), redirect_url)

    def end_login(self, state: str, word: str, code: str) -> list[Account]:
        return self.facebook().end_login(state, word, code)

    def look(self, account: Account) -> tuple[Account, str]:
        from daemon.deliveries.setbacks import DeliveryError

        try:
            return self.watch().look_now(account), ""
        except (DeliveryError, VaultLocked) as exc:
            return account, str(exc)

    def forget(self, account_id: str) -> None:
        self.drop(account_id)
