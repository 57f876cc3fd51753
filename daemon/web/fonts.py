"""`GET /v1/fonts`: which families texts can name, those that lie here and those that are fetched when they are used."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from daemon.web import parameters
from daemon.web.answers import listing
from daemon.web.call import Call
from daemon.web.services import Services
from fonts_cache.aliases import ALIASES
from fonts_cache.google import folded

USUAL, MOST = 100, 2_500
_LONGEST_TEXT = 100


async def fonts(call: Call) -> Response:
    """Answer with families whose name holds `q`, those that begin with it first."""
    given = parameters.read(call, {"q": _text, "limit": parameters.whole(1, MOST)})
    found = await call.blocking(_found, call.services, folded(given.get("q", "")))
    return listing(found[: given.get("limit", USUAL)])


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"must be at most {_LONGEST_TEXT} characters")
    return text


def _found(services: Services, wanted: str) -> list[dict[str, Any]]:
    families = {name: one for name, one in _families(services).items() if wanted in name}
    order = sorted(families, key=lambda name: (not name.startswith(wanted), name))
    return [families[name] for name in order]


def _families(services: Services) -> dict[str, dict[str, Any]]:
    """Every family by its folded name, one that lies here with what Google Fonts has of it besides."""
    found: dict[str, dict[str, Any]] = {}
    google = services.fonts.google.families() if services.fonts.google else {}
    for name, family in google.items():
        found[name] = _entry(family.name, family.category or None, [], list(family.variants))
    here: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for face in services.fonts.faces():
        here.setdefault(folded(face.family), []).append(f"{face.weight}{'i' if face.italic else ''}")
        names.setdefault(folded(face.family), face.family)
    for name, styles in here.items():
        known = google.get(name)
        category, others = (known.category or None, list(known.variants)) if known else (None, [])
        found[name] = _entry(names[name], category, styles, others)
    for alias, twin in ALIASES.items():
        if folded(alias) not in found and folded(twin) in found:
            found[folded(alias)] = _entry(alias, None, [], [], twin)
    return found


def _entry(
    family: str, category: str | None, here: list[str], fetched: list[str], twin: str | None = None
) -> dict[str, Any]:
    styles = sorted({*here, *fetched})
    return {"family": family, "category": category, "styles": styles, "here": sorted(set(here)), "twin": twin}
