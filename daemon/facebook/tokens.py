"""Tokens: from what a person pastes to the page tokens that do not expire, and how long each is still good.

A page token that is derived from a long-lived user token has no end; derived from a short-lived one it silently ends
with that (Meta: "Get long-lived tokens"). So what comes out is looked at with debug_token before it is believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from daemon.deliveries.setbacks import Unclear
from daemon.facebook.graph import Credential, Graph
from daemon.facebook.meaning import clean, token_problem

SCOPES = ("pages_show_list", "pages_read_engagement", "pages_manage_posts")
"""What an app has to be granted to publish on a page."""
_TASK = "CREATE_CONTENT"
_MOST_PAGES = 20  # of the list of pages, a hundred each


@dataclass(frozen=True, slots=True)
class App:
    """The app that tokens are granted to."""

    id: str
    secret: str = field(repr=False)

    @property
    def credential(self) -> Credential:
        """The app as itself. Its token is made of its secret, and needs no proof of it."""
        return Credential(f"{self.id}|{self.secret}")


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a person may publish on, with its token."""

    id: str
    name: str
    category: str
    tasks: tuple[str, ...]
    token: str = field(repr=False)

    @property
    def may_publish(self) -> bool:
        """Whether the person's role is enough; a list without tasks does not say."""
        return not self.tasks or _TASK in self.tasks


@dataclass(frozen=True, slots=True)
class TokenState:
    """What Facebook says of a token. `expires_at` None is never; `data_until` is the end of access to data, which
    publishing as a rule does not depend on. `problem` is a sentence where it is not good."""

    is_valid: bool
    kind: str
    app_id: str
    expires_at: datetime | None
    data_until: datetime | None
    scopes: tuple[str, ...]
    problem: str = ""

    @property
    def lacking(self) -> tuple[str, ...]:
        """The scopes that publishing needs and it has not."""
        return tuple(scope for scope in SCOPES if scope not in self.scopes)


def exchange(graph: Graph, app: App, token: str) -> str:
    """Exchange a user token for a long-lived one; how long it is good for, `look_at` says.

    Raises:
        DeliveryError: it cannot be; one that has expired never can.
    """
    answer = graph.get(
        "oauth/access_token",
        grant_type="fb_exchange_token",
        client_id=app.id,
        client_secret=app.secret,
        fb_exchange_token=token,
    )
    return str(answer.get("access_token") or token)


def from_code(graph: Graph, app: App, code: str, redirect_url: str) -> str:
    """Exchange the code that a login came back with for a user token.

    Raises:
        DeliveryError: it is not good, or not any more.
    """
    answer = graph.get(
        "oauth/access_token", client_id=app.id, client_secret=app.secret, redirect_uri=redirect_url, code=code
    )
    return str(answer.get("access_token", ""))


def pages(graph: Graph, user: Credential) -> list[Page]:
    """List the pages that a person or a system user has a role on, each with a token of its own.

    Raises:
        DeliveryError: the token is not good, or lacks a right.
    """
    found, after = [], ""
    for _ in range(_MOST_PAGES):
        place = {"after": after} if after else {}
        answer = graph.get("me/accounts", user, fields="id,name,category,tasks,access_token", limit="100", **place)
        found += [_page(entry) for entry in _list(answer.get("data")) if isinstance(entry, dict)]
        paging = _dict(answer.get("paging"))
        after = str(_dict(paging.get("cursors")).get("after") or "") if paging.get("next") else ""
        if not after:
            break
    return [page for page in found if page.id and page.token]


def page_itself(graph: Graph, token: Credential) -> Page | None:
    """The page whose own token this is; None where it is no page's.

    Raises:
        DeliveryError: the token is not good.
    """
    answer = graph.get("me", token, fields="id,name,category")
    if not answer.get("id"):
        return None
    return _page({**answer, "tasks": (), "access_token": token.token})


def look_at(graph: Graph, app: App | None, token: Credential) -> TokenState:
    """Ask what is known of a token; without the app's secret, by the token itself.

    Raises:
        DeliveryError: nothing could be learnt, which says nothing of the token.
    """
    answer = graph.get("debug_token", app.credential if app and app.secret else token, input_token=token.token)
    data, error = _dict(answer.get("data")), _dict(_dict(answer.get("data")).get("error"))
    is_valid = data.get("is_valid")
    if not isinstance(is_valid, bool) or (is_valid and not isinstance(data.get("scopes"), list)):
        raise Unclear("Facebook did not say whether the token is good, and for what.", "facebook_no_state")
    problem = ""
    if not is_valid:
        code, subcode = int(_seconds(error.get("code"))), int(_seconds(error.get("subcode")))
        problem = token_problem(code, subcode, str(error.get("message") or "it is not valid"))
    return TokenState(
        is_valid=is_valid,
        kind=str(data.get("type", "")),
        app_id=str(data.get("app_id", "")),
        expires_at=_time(data.get("expires_at")),
        data_until=_time(data.get("data_access_expires_at")),
        scopes=tuple(str(scope) for scope in _list(data.get("scopes"))),
        problem=problem,
    )


def _page(entry: dict[str, Any]) -> Page:
    return Page(
        id=str(entry.get("id", "")),
        name=clean(str(entry.get("name", ""))),
        category=clean(str(entry.get("category", ""))),
        tasks=tuple(str(task) for task in _list(entry.get("tasks"))),
        token=str(entry.get("access_token", "")),
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _seconds(value: object) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _time(value: object) -> datetime | None:
    seconds = _seconds(value)
    if seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
