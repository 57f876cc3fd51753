"""`/v1/deliveries`: what of a key's films is published or on its way, and what a person has seen of one that nobody can
tell of. Publishes nothing."""

from __future__ import annotations

import re

from starlette.responses import Response

from daemon.deliveries.life import OUTCOMES, State, plain
from daemon.errors import UnknownDelivery
from daemon.web import jobs, parameters
from daemon.web.admin_bodies import read_model
from daemon.web.answers import Answer, listing
from daemon.web.call import Call
from daemon.web.delivery_models import Resolution

_ID = re.compile(r"dlv_[a-z0-9]{20}")


async def deliveries(call: Call) -> Response:
    """Answer with a page of the key's deliveries, the newest first."""
    readers = {"state": _states, "limit": parameters.whole(1, jobs.MOST), "cursor": jobs.before}
    asked = parameters.read(call, readers)
    page = await call.blocking(
        call.services.deliveries.page,
        call.key_id,
        states=asked.get("state", ()),
        limit=asked.get("limit", jobs.USUAL),
        before=asked.get("cursor"),
    )
    return listing([plain(one) for one in page.deliveries], jobs.following(call, page.next))


async def delivery(call: Call) -> Response:
    """Answer with one delivery."""
    parameters.read(call, {})
    return Answer(plain(await call.blocking(call.services.deliveries.get, delivery_id(call), call.key_id)))


async def resolve(call: Call) -> Response:
    """Write down what somebody has seen of a delivery that is `unknown`; the worker sees to what follows."""
    found = delivery_id(call)
    said = await read_model(call.request, Resolution)
    work = call.services.deliveries.resolve
    return Answer(plain(await call.blocking(work, found, call.key_id, OUTCOMES[said.outcome], said.link or "")))


def delivery_id(call: Call) -> str:
    """Take the delivery's id out of the path.

    Raises:
        UnknownDelivery: it cannot be one.
    """
    found: str = call.request.path_params["delivery_id"]
    if not _ID.fullmatch(found):
        raise UnknownDelivery
    return found


def _states(text: str) -> tuple[State, ...]:
    """Read one state or several, separated by commas.

    Raises:
        ValueError: one of them is none.
    """
    read = parameters.one_of(*State)
    return tuple(dict.fromkeys(State(read(word)) for word in text.split(",")))
