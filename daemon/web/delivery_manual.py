"""What the documentation says of the doors of `/v1/deliveries`. Knows no handler."""

from __future__ import annotations

from daemon.deliveries.life import State
from daemon.errors import UnknownDelivery, WrongState
from daemon.web import jobs, manual, models
from daemon.web.delivery_models import Resolution
from daemon.web.door import Manual, Parameter, Reply
from render.errors import SpecError

_STATE = "|".join(State)
_DELIVERY_ID = Parameter(
    "delivery_id",
    "path",
    "The delivery.",
    {"type": "string", "pattern": "^dlv_[a-z0-9]{20}$"},
    manual.DELIVERY["delivery_id"],
)

LIST = Manual(
    "Deliveries",
    "What of the key's films is published, or on its way, the newest first.",
    {
        200: Reply(
            "A page; `next` leads to the one after it.", models.Deliveries, {"items": [manual.DELIVERY], "next": None}
        )
    },
    parameters=(
        Parameter(
            "state",
            "query",
            "Only these; several with commas.",
            {"type": "string", "pattern": f"^({_STATE})(,({_STATE}))*$"},
            "unknown",
        ),
        Parameter(
            "limit",
            "query",
            "Deliveries on a page.",
            {"type": "integer", "minimum": 1, "maximum": jobs.MOST},
            jobs.USUAL,
        ),
        manual.CURSOR,
    ),
    errors=(SpecError,),
)
GET = Manual(
    "Deliveries",
    "One delivery.",
    {200: Reply("The delivery.", models.Delivery, manual.DELIVERY)},
    parameters=(_DELIVERY_ID,),
    errors=(UnknownDelivery, SpecError),
)
RESOLVE = Manual(
    "Deliveries",
    "Say what you have seen of a delivery that is `unknown`. Look at the page first: what is said to be not published "
    "goes out again.",
    {200: Reply("The delivery as it is now.", models.Delivery, manual.DELIVERY)},
    parameters=(_DELIVERY_ID,),
    body=Resolution,
    body_example={"outcome": "published", "link": manual.DELIVERY["link"]},
    errors=(UnknownDelivery, WrongState),
)
