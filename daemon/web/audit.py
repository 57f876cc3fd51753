"""Every admin call is written down: from where, what, and how it was answered; of those refused, some. Bodies and
parameters are not."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.responses import Response

from daemon.errors import StoreError
from daemon.web import errors
from daemon.web.call import Call, Handler
from daemon.web.guard import REFUSALS, Guard

_LONGEST_PATH = 300
# Whoever is refused may write whatever he likes there.
_LONGEST_REFUSED_PATH = 60
_UNEXPECTED = 500
LetIn = Callable[[Call], Awaitable[None]]
_log = logging.getLogger(__name__)


async def audited(call: Call, guard: Guard, let_in: LetIn, handler: Handler) -> Response:
    """Let an admin call in or refuse it, which raises, and write down how it ended before it is answered."""
    status = _UNEXPECTED
    try:
        await let_in(call)
        response = await handler(call)
        status = response.status_code
    except Exception as exc:
        status = errors.status_of(exc)
        raise
    finally:
        if guard.is_worth_a_row(call, status):
            await _write(call, status)
    return response


async def _write(call: Call, status: int) -> None:
    """Write into the log and the table; where the table cannot be written, the call counts all the same: it may be
    the one that frees the disk."""
    longest = _LONGEST_REFUSED_PATH if status in REFUSALS else _LONGEST_PATH
    method, path = call.request.method, quote(call.request.scope["path"], errors="replace")[:longest]
    said = {"action": "admin_call", "address": call.client.name, "method": method, "path": path, "status": status}
    _log.info("An admin call was answered.", extra=said)
    try:
        await call.blocking(call.services.audit.add, call.client.name, method, path, status)
    except StoreError as exc:
        _log.error("An admin call is missing in the audit log.", extra={**said, "reason": str(exc)})
