"""`GET /v1/styles` and `GET /v1/audio`: what can be asked for by name."""

from __future__ import annotations

from starlette.responses import Response

from daemon.web.answers import listing
from daemon.web.call import Call


async def styles(call: Call) -> Response:
    """Answer with the styles and how many clips each has."""
    found = await call.blocking(call.services.library.styles)
    return listing([{"name": name, "clips": count} for name, count in found.items()])


async def audio(call: Call) -> Response:
    """Answer with the tracks and the files they are."""
    found = await call.blocking(call.services.library.tracks)
    return listing([{"name": name, "file": path.name} for name, path in found.items()])
