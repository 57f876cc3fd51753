"""`GET /openapi.json` and `GET /docs`: the table of doors as programs and people read it. Both are written once; only
what clients reach the service at differs, and is put in for each answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape

from starlette.responses import HTMLResponse, Response

from daemon.strict_json import dump
from daemon.web import service_manual
from daemon.web.access import PUBLIC
from daemon.web.call import Call
from daemon.web.door import Door
from daemon.web.openapi import document
from daemon.web.page import POLICY, page

# Stands where the service's own address goes; nobody can be reached at it (RFC 2606).
_BASE = "https://here.invalid"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class _Written:
    """The document as JSON, and the page, each cut where the service's own address goes."""

    document: tuple[str, ...]
    page: tuple[str, ...]


def with_documentation(*doors: Door) -> tuple[Door, ...]:
    """Add the doors that document the table, themselves included."""
    table = list(doors)

    @cache
    def written(version: str, is_administered: bool) -> _Written:
        shown = [door for door in table if is_administered or not door.access.of_operator]
        found = document(shown, version, _BASE)
        return _Written(tuple(dump(found).split(_BASE)), tuple(page(found).split(_BASE)))

    def written_for(call: Call) -> _Written:
        return written(call.services.version, bool(call.services.access.master_key))

    async def openapi(call: Call) -> Response:
        text = dump(call.links.base)[1:-1].join(written_for(call).document)
        return Response(text, media_type="application/json", headers=_HEADERS)

    async def docs(call: Call) -> Response:
        text = escape(call.links.base).join(written_for(call).page)
        return HTMLResponse(text, headers=_HEADERS | {"content-security-policy": POLICY})

    table += [
        Door("GET", "/openapi.json", openapi, PUBLIC, service_manual.OPENAPI),
        Door("GET", "/docs", docs, PUBLIC, service_manual.DOCS),
    ]
    return tuple(table)
