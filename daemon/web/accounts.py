"""`/admin/accounts`: connects accounts by token, lists them, looks at one now, disconnects one. No answer and no log
holds what was handed in."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.responses import Response

from daemon.accounts.life import Account
from daemon.errors import UnknownAccount
from daemon.web import parameters
from daemon.web.account_models import NewAccount
from daemon.web.admin_bodies import read_model
from daemon.web.answers import Answer, listing
from daemon.web.call import Call

_ID = re.compile(r"acc_[a-z0-9]{12,40}")


async def admin_accounts(call: Call) -> Response:
    """Answer with all accounts, by name."""
    parameters.read(call, {})
    return listing([shown(call, account) for account in await call.blocking(call.services.accounts.list)])


async def admin_connect_account(call: Call) -> Response:
    """Connect the pages that a token may publish on."""
    asked = await read_model(call.request, NewAccount)
    connect = call.services.connector.connect
    found = await call.far(connect, asked.token, asked.app_id, asked.app_secret, asked.pages or ())
    return Answer({"items": [shown(call, account) for account in found]}, 201)


async def admin_test_account(call: Call) -> Response:
    """Look at an account's token now."""
    account = await call.blocking(call.services.accounts.get, account_id(call))
    looked, why_not = await call.far(call.services.connector.look, account)
    return Answer({**shown(call, looked), "not_looked_at": why_not or None})


async def admin_remove_account(call: Call) -> Response:
    """Disconnect an account and forget its secrets; once more is no error, as the secrets may still be there."""
    found = account_id(call)
    await call.blocking(call.services.accounts.remove, found)
    await call.blocking(call.services.connector.forget, found)
    return Response(status_code=204, headers={"cache-control": "no-store"})


def account_id(call: Call) -> str:
    """Take the account's id out of the path.

    Raises:
        UnknownAccount: it cannot be one.
    """
    found: str = call.request.path_params["account_id"]
    if not _ID.fullmatch(found):
        raise UnknownAccount
    return found


def shown(call: Call, account: Account) -> dict[str, Any]:
    """Write an account as JSON members."""
    return {
        "id": account.id,
        "kind": account.kind,
        "remote_id": account.remote_id,
        "name": account.name,
        "state": account.state,
        "problem": account.problem,
        "warning": account.warning,
        "days_left": account.days_left(call.services.now()),
        "expires_at": _time(account.expires_at),
        "data_until": _time(account.data_until),
        "scopes": [str(scope) for scope in account.about.get("scopes") or ()],
        "checked_at": _time(account.checked_at),
        "connected_at": _time(account.connected_at),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
