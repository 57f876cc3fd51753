"""`GET /openapi.json` and `GET /docs`: the table of doors as programs and people read it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from starlette.responses import HTMLResponse, Response

from daemon.web import manual
from daemon.web.access import PUBLIC, Kind
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.door import Door
from daemon.web.openapi import document
from daemon.web.page import POLICY, page


def with_documentation(*doors: Door) -> tuple[Door, ...]:
    """Add the doors that document the table, themselves included."""
    table = list(doors)

    @lru_cache(maxsize=8)
    def written(version: str, base: str, is_administered: bool) -> dict[str, Any]:
        shown = [door for door in table if is_administered or door.access.kind is not Kind.MASTER]
        return document(shown, version, base)

    def document_for(call: Call) -> dict[str, Any]:
        return written(call.services.version, call.links.base, bool(call.services.access.master_key))

    async def openapi(call: Call) -> Response:
        return Answer(document_for(call))

    async def docs(call: Call) -> Response:
        headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "cache-control": "no-store"}
        return HTMLResponse(page(document_for(call)), headers=headers)

    table += [
        Door("GET", "/openapi.json", openapi, PUBLIC, manual.OPENAPI),
        Door("GET", "/docs", docs, PUBLIC, manual.DOCS),
    ]
    return tuple(table)
