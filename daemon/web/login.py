"""Connecting pages by logging in: sends a browser to Facebook, and hears from it when it comes back, which brings no
key. What it has to bring is a state that was begun here, the cookie of the same browser, and Facebook's code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape
from typing import Literal, TypedDict
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from daemon.accounts.life import Account
from daemon.errors import AccountRefused, LoginRefused, VixError
from daemon.web import errors
from daemon.web.account_models import Login
from daemon.web.admin_bodies import read_model
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.sheet import head, policy, static

PATH = "/admin/accounts/facebook/connect"
COOKIE = "vix_login"
LOGIN_S = 900
_LONGEST = 4_000
_STYLE = static("accounts.css")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": policy(_STYLE),
    "referrer-policy": "no-referrer",  # the address of this page holds Facebook's code
    "x-content-type-options": "nosniff",
}
_log = logging.getLogger(__name__)


async def admin_begin_login(call: Call) -> Response:
    """Say where the browser is to go, and give it the word to come back with."""
    asked = await read_model(call.request, Login)
    redirect_url = f"{call.links.base}{PATH}"
    begin = call.services.connector.begin_login
    login_url, word = await call.far(begin, asked.app_id, asked.app_secret, redirect_url)
    answer = Answer({"login_url": login_url, "redirect_url": redirect_url})
    answer.set_cookie(COOKIE, word, LOGIN_S, **_scope_of(redirect_url))
    return answer


async def admin_end_login(call: Call) -> Response:
    """Connect the pages of who comes back, and say what came of it."""
    try:
        title, sentence, accounts, status = "Connected", "", await _ended(call), 200
    except VixError as exc:
        title, sentence, accounts, status = "Not connected", str(exc), [], errors.status_of(exc)
        _log.warning("A login came to nothing.", extra={"action": "login_refused", "reason": sentence})
    page = HTMLResponse(_page(call, title, sentence, accounts), status, _HEADERS)
    scope = _scope_of(f"{call.links.base}{PATH}")
    page.delete_cookie(COOKIE, **scope)
    return page


async def _ended(call: Call) -> list[Account]:
    """Connect what a login is good for.

    Raises:
        LoginRefused: it is none that was begun here, or lacks something.
        AccountRefused: Facebook or the person at it has said no, or nothing can be done with it.
        VixError: it could not be kept.
    """
    query, word = call.request.query_params, call.request.cookies.get(COOKIE, "")
    if query.get("error") == "access_denied":
        raise AccountRefused("Facebook was told not to grant the app its rights, so nothing was connected.")
    if "error" in query or "error_code" in query:
        # Whoever writes such an address could have this page say anything: Facebook's own words are not shown.
        raise AccountRefused(
            "Facebook has ended the login with an error; see that the app is live and allows this address to come "
            "back to, and begin it again."
        )
    state, code = query.get("state", ""), query.get("code", "")
    if not (state and code and word) or max(len(state), len(code), len(word)) > _LONGEST:
        raise LoginRefused
    return await call.far(call.services.connector.end_login, state, word, code)


class _Scope(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


def _scope_of(redirect_url: str) -> _Scope:
    """Which requests a cookie comes with: those to this address alone, also when the browser is sent by a link."""
    parts = urlsplit(redirect_url)
    return {"path": parts.path, "secure": parts.scheme == "https", "httponly": True, "samesite": "lax"}


def _page(call: Call, title: str, sentence: str, accounts: Sequence[Account]) -> str:
    names = "".join(
        f"<li>{escape(account.name)} <small>{escape(account.remote_id)}</small></li>" for account in accounts
    )
    said = f"<p>Films can be published on:</p><ul>{names}</ul>" if accounts else f"<p>{escape(sentence)}</p>"
    back = escape(f"{call.links.base}/accounts")
    return (
        f"{head(f'{title} - Vix', _STYLE)}<body><header><h1>Accounts</h1></header><main>"
        f'<section class="card {"good" if accounts else "bad"}"><h2>{escape(title)}</h2>{said}'
        f'<p><a href="{back}">Back to the accounts</a></p></section></main></body></html>'
    )
