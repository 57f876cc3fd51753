"""Connects Facebook pages and looks after their tokens. Knows the vault and the table of accounts, no job.

A person pastes a user token or logs in; Vix exchanges it for a long-lived one and keeps the page tokens that are
derived from it, which have no end. What is kept for a page: its token, the app's id and secret, the user's token.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from daemon.accounts.life import Account
from daemon.deliveries.setbacks import DeliveryError, NeedsHuman
from daemon.errors import AccountRefused, LoginRefused
from daemon.facebook import tokens
from daemon.facebook.graph import Credential, Graph
from daemon.facebook.tokens import SCOPES, App, Page, TokenState
from daemon.store.accounts import AccountStore, Found
from daemon.vault import Vault

KIND = "facebook"
LOGIN_PREFIX = "login:"
LOGIN_MIN = 15
# Not derived from a person's token: it may have an end, which is then watched like any other.
_SYSTEM_USER = "SYSTEM_USER"
_RENEW_DAYS = 30
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Given:
    """What a person hands in: a user's, a system user's or a page's token, and the app that it was granted to."""

    token: str = field(repr=False)
    app_id: str = ""
    app_secret: str = field(default="", repr=False)

    @property
    def app(self) -> App | None:
        return App(self.app_id, self.app_secret) if self.app_id and self.app_secret else None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at an account's token has shown: what is found, or why it cannot be used (`problem`); `renewed` is a
    sentence where its token was renewed."""

    found: Found | None
    problem: str = ""
    renewed: str = ""


@dataclass(frozen=True, slots=True)
class FacebookAccounts:
    """Connects and checks. `graph` makes what calls are made with."""

    store: AccountStore
    vault: Vault
    graph: Callable[[], Graph]

    def connect(self, given: Given, only: Collection[str] = ()) -> list[Account]:
        """Connect all pages that a token may publish on, or `only` those of these names or ids; each anew, if it was
        connected before.

        Raises:
            AccountRefused: none can be; the sentence says what is wrong and what to do.
            StoreError, SettingsError: it could not be kept.
        """
        try:
            found = self._found(given, self.graph())
        except DeliveryError as exc:
            raise AccountRefused(str(exc)) from exc
        wanted = {name.casefold() for name in only}
        chosen = [one for one in found if not wanted or {one[0].id.casefold(), one[0].name.casefold()} & wanted]
        if not chosen:
            names = ", ".join(f'"{page.name}" ({page.id})' for page, _, _ in found)
            raise AccountRefused(f"None of these pages is {' or '.join(only)}; the token is good for {names}.")
        return [self._keep(page, state, kept) for page, state, kept in chosen]

    def begin_login(self, app: App, redirect_url: str) -> tuple[str, str]:
        """Begin a login: the address to send the browser to, and the word that it has to bring back as a cookie."""
        state, word = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.vault.put(
            _login_id(state),
            {"app_id": app.id, "app_secret": app.secret, "word": word, "redirect_url": redirect_url,
             "until": str(int(time.time()) + LOGIN_MIN * 60)},
        )  # fmt: skip
        query = {
            "client_id": app.id,
            "redirect_uri": redirect_url,
            "state": state,
            "response_type": "code",
            "scope": ",".join(SCOPES),
        }
        return f"{self.graph().login_url}?{urlencode(query)}", word

    def end_login(self, state: str, word: str, code: str) -> list[Account]:
        """Connect the pages of somebody who comes back from a login. A state is good once, and for a quarter of an
        hour.

        Raises:
            LoginRefused: it is no login that was begun here, by this browser, a moment ago.
            AccountRefused: as `connect`.
        """
        row_id = _login_id(state)
        begun = self.vault.get(row_id)
        if begun is None or not secrets.compare_digest(begun["word"].encode(), word.encode("utf-8", "replace")):
            raise LoginRefused
        if not self.vault.drop(row_id):
            raise AccountRefused("This login was ended a moment ago; begin it again.")
        if int(begun["until"]) < time.time():
            raise LoginRefused("This login took longer than a quarter of an hour; begin it again.")
        app = App(begun["app_id"], begun["app_secret"])
        try:
            token = tokens.from_code(self.graph(), app, code, begun["redirect_url"])
        except DeliveryError as exc:
            raise AccountRefused(str(exc)) from exc
        return self.connect(Given(token, app.id, app.secret))

    def look(self, account: Account, now: datetime) -> Looked:
        """Ask Facebook about an account's token, and renew what is about to end where that can be done.

        Raises:
            DeliveryError: nothing could be learnt.
            VaultLocked, StoreError: its secrets could not be read.
        """
        kept = self.vault.get(account.id)
        if kept is None:
            return Looked(None, f'The token of "{account.name}" is not there; connect it again.')
        graph, app = self.graph(), _app(kept)
        kept, renewed = self._renewed(graph, app, account, kept, now)
        credential = _credential(kept["token"], kept)
        try:
            state = tokens.look_at(graph, app, credential)
            if state.is_valid and not state.lacking:
                tokens.page_itself(graph, credential)  # which a token that was just revoked does not pass
        except NeedsHuman as exc:
            return Looked(None, str(exc))
        if problem := state.problem or _lacking(state) or self._role_problem(graph, account, kept):
            return Looked(None, problem)
        return Looked(_found(account.remote_id, account.name, account.about, state), renewed=renewed)

    def _found(self, given: Given, graph: Graph) -> list[tuple[Page, TokenState, dict[str, str]]]:
        """The pages that what was given may publish on, each with the state of its token and what is kept for it."""
        if not given.token.strip() or not given.token.isascii() or any(map(str.isspace, given.token)):
            raise AccountRefused("The token is empty or has spaces in it; paste it whole, and nothing else.")
        given_state = tokens.look_at(graph, given.app, _credential(given.token, {"app_secret": given.app_secret}))
        _check_given(given, given_state)
        token = given.token
        kept = {"app_id": given.app_id or given_state.app_id, "app_secret": given.app_secret}
        if given_state.kind == "PAGE":
            page = tokens.page_itself(graph, _credential(token, kept))
            pages = [page] if page else []
        else:
            if given_state.kind != _SYSTEM_USER and given.app is not None:
                token = tokens.exchange(graph, given.app, token)
            kept["user_token"] = token
            pages = tokens.pages(graph, _credential(token, kept))
        usable = [page for page in pages if page.may_publish]
        if not usable:
            raise AccountRefused(_no_page(pages))
        found = []
        for page in usable:
            state = tokens.look_at(graph, given.app, _credential(page.token, kept))
            _check_page(page, state, given_state.kind)
            found.append((page, state, {**kept, "token": page.token, "granted_as": given_state.kind}))
        return found

    def _keep(self, page: Page, state: TokenState, kept: Mapping[str, str]) -> Account:
        account_id = self.store.id_for(KIND, page.id)
        self.vault.put(account_id, kept)
        about = {"category": page.category, "tasks": list(page.tasks), "granted_as": kept["granted_as"]}
        return self.store.connect(account_id, KIND, _found(page.id, page.name, about, state))

    def _renewed(
        self, graph: Graph, app: App | None, account: Account, kept: Mapping[str, str], now: datetime
    ) -> tuple[Mapping[str, str], str]:
        """Exchange a user's token that ends within a month, and derive the page's anew. Where that does not work,
        everything is as it was: the page's token may well outlive it."""
        token = kept.get("user_token", "")
        if not token or app is None or kept.get("granted_as") == _SYSTEM_USER:
            return kept, ""
        try:
            state = tokens.look_at(graph, app, _credential(token, kept))
            if not state.is_valid or state.expires_at is None or state.expires_at - now > timedelta(days=_RENEW_DAYS):
                return kept, ""
            fresh = tokens.exchange(graph, app, token)
            pages = {page.id: page for page in tokens.pages(graph, _credential(fresh, kept))}
            until = tokens.look_at(graph, app, _credential(fresh, kept)).expires_at
        except DeliveryError as exc:
            told = {"action": "token_not_renewed", "account": account.id, "reason": str(exc)}
            _log.warning("A token could not be renewed.", extra=told)
            return kept, ""
        if account.remote_id not in pages or (until is not None and until <= state.expires_at):
            return kept, ""
        renewed = {**kept, "user_token": fresh, "token": pages[account.remote_id].token}
        if not self.vault.replace(account.id, kept, renewed):
            return kept, ""  # somebody has connected it anew, or renewed it, meanwhile
        good = f"; it is good until {until:%Y-%m-%d}" if until else ""
        return renewed, f'The token that "{account.name}" depends on was renewed{good}.'

    def _role_problem(self, graph: Graph, account: Account, kept: Mapping[str, str]) -> str:
        """A sentence where the person who connected a page may not publish on it any more, as far as that can be
        asked: his own token may have ended, which the page's survives."""
        token = kept.get("user_token", "")
        if not token:
            return ""
        try:
            pages = tokens.pages(graph, _credential(token, kept))
        except DeliveryError:
            return ""
        if all(page.may_publish for page in pages if page.id == account.remote_id):
            return ""
        return f'The role on "{account.name}" of the person who connected it does not include publishing any more.'


def _credential(token: str, kept: Mapping[str, str]) -> Credential:
    return Credential(token, kept.get("app_secret", ""))


def _app(kept: Mapping[str, str]) -> App | None:
    app_id, secret = kept.get("app_id", ""), kept.get("app_secret", "")
    return App(app_id, secret) if app_id and secret else None


def _found(remote_id: str, name: str, about: Mapping[str, object], state: TokenState) -> Found:
    known = {**about, "scopes": list(state.scopes), "app_id": state.app_id}
    return Found(remote_id, name, known, state.expires_at, state.data_until)


def _check_given(given: Given, state: TokenState) -> None:
    if not state.is_valid:
        raise AccountRefused(state.problem)
    if given.app_id and state.app_id and state.app_id != given.app_id:
        raise AccountRefused(
            f"The token was granted to the app {state.app_id} and not to {given.app_id}; make one for that app, or "
            "name the other."
        )
    if state.kind == "APP":
        raise AccountRefused("This is an app's token; what is needed is a user's, a system user's or a page's.")
    if state.kind == "USER" and given.app is None:
        raise AccountRefused(
            "A user's token has to be exchanged for one that lasts; give the app's id and secret with it."
        )
    if problem := _lacking(state):
        raise AccountRefused(problem)


def _check_page(page: Page, state: TokenState, granted_as: str) -> None:
    """A page's token that ends is what made the founder's page go silent after two months."""
    if not state.is_valid:
        raise AccountRefused(state.problem)
    if state.expires_at is not None and granted_as != _SYSTEM_USER:
        raise AccountRefused(
            f'The token of "{page.name}" would end on {state.expires_at:%Y-%m-%d}: it comes from a user\'s token that '
            "lasts a short time. Give a user's token with the app's id and secret, and Vix makes one without an end."
        )
    if problem := _lacking(state):
        raise AccountRefused(problem)


def _lacking(state: TokenState) -> str:
    if not state.lacking:
        return ""
    return f"The token lacks {' and '.join(state.lacking)}; grant the app {', '.join(SCOPES)} and make a new one."


def _no_page(pages: list[Page]) -> str:
    if not pages:
        return "The token is good for no page; grant the app access to one, or let the page be assigned to it."
    names = ", ".join(f'"{page.name}"' for page in pages)
    return f"The role on {names} does not include publishing (CREATE_CONTENT); have it changed in the page's settings."


def _login_id(state: str) -> str:
    return LOGIN_PREFIX + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:40]
