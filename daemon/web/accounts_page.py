"""`GET /accounts`: the page on which an operator connects, tests and disconnects accounts. It is the same for everybody
and holds no data; what it shows it asks `/admin/accounts` for, with the key that is typed into it."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse, Response

from daemon.web.call import Call
from daemon.web.login import PATH
from daemon.web.sheet import head, policy, static

_STYLE, _SCRIPT = static("accounts.css"), static("accounts.js")
_BEFORE, _AFTER = static("accounts.html").split("{{redirect_url}}")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": policy(_STYLE, _SCRIPT, connect="'self'"),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


async def accounts_page(call: Call) -> Response:
    """Answer with the page."""
    body = f"{_BEFORE}{escape(f'{call.links.base}{PATH}')}{_AFTER}"
    return HTMLResponse(
        f"{head('Accounts - Vix', _STYLE)}{body}<script>{_SCRIPT}</script></body></html>", 200, _HEADERS
    )
