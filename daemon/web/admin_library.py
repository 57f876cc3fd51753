"""`/admin/library`: what the library holds, what is skipped and why. Looking at clips is left to the worker."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from daemon.errands import SCAN, UNSKIP, clip_name
from daemon.store.errands import Errand
from daemon.web.admin_bodies import read_model
from daemon.web.admin_models import Unskip
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.services import Services
from render.errors import FieldProblem, SpecError
from render.problems import did_you_mean


async def admin_library(call: Call) -> Response:
    """Answer with styles, the skip list and errands."""
    return Answer(await call.blocking(_library, call.services))


async def admin_scan(call: Call) -> Response:
    """Have the worker look at every clip that is new or has changed, between two films."""
    return await _asked(call, SCAN, "")


async def admin_unskip(call: Call) -> Response:
    """Have the worker look at a skipped clip again and let it be picked."""
    clip = (await read_model(call.request, Unskip)).clip
    names = [name for name, _ in await call.blocking(_skipped, call.services)]
    if clip not in names:
        hint = did_you_mean(clip, names) or " GET /admin/library lists those that are."
        raise SpecError([FieldProblem("clip", f"is no skipped clip.{hint}", "string")])
    return await _asked(call, UNSKIP, clip)


async def _asked(call: Call, name: str, argument: str) -> Response:
    errand = await call.blocking(call.services.errands.ask, name, argument)
    return Answer(_plain(errand), 202, {"location": f"{call.links.base}/admin/library"})


def _library(services: Services) -> dict[str, Any]:
    return {
        "styles": [{"name": name, "clips": count} for name, count in services.library.styles().items()],
        "skipped": [{"clip": name, "reason": reason} for name, reason in _skipped(services)],
        "errands": [_plain(errand) for errand in services.errands.recent()],
    }


def _skipped(services: Services) -> list[tuple[str, str]]:
    found = services.catalogue.skipped().items()
    return [(name, reason) for path, reason in found if (name := clip_name(path, services.library))]


def _plain(errand: Errand) -> dict[str, Any]:
    return {
        "id": errand.id,
        "name": errand.name,
        "argument": errand.argument,
        "asked_at": _time(errand.asked_at),
        "done_at": _time(errand.done_at),
        "answer": errand.answer,
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
