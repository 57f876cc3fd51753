"""What connects accounts and looks at their tokens, as the web side needs it. Whoever has it loads what it takes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from daemon.accounts.life import Account


class Connector(Protocol):
    """Its calls wait for the far side, which takes seconds; any may raise StoreError, SettingsError or VaultLocked."""

    def connect(self, token: str, app_id: str, app_secret: str, pages: Collection[str]) -> list[Account]:
        """Connect the pages that a token may publish on: all, or those of these names or ids.

        Raises:
            AccountRefused: none can be; the sentence says why.
        """

    def begin_login(self, app_id: str, app_secret: str, redirect_url: str) -> tuple[str, str]:
        """Begin a login: where the browser is to go, and the word that it has to bring back as a cookie."""

    def end_login(self, state: str, word: str, code: str) -> list[Account]:
        """Connect the pages of who comes back from a login.

        Raises:
            LoginRefused: it was not begun here, by this browser, a moment ago.
            AccountRefused: as `connect`.
        """

    def look(self, account: Account) -> tuple[Account, str]:
        """Look at an account's token now: what is known of it then, and a sentence where nothing could be learnt."""

    def forget(self, account_id: str) -> None:
        """Forget an account's secrets."""
