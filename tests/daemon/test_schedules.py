"""What a slot's request becomes: turn, date, and when a film that is made ahead is published."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from daemon.schedules import published_at

AT = datetime(2026, 3, 29, 9, tzinfo=ZoneInfo("Europe/Berlin"))


def test_posts_that_name_no_time_wait_for_the_slot() -> None:
    own = {"page": "b", "at": "2026-04-01T00:00:00Z"}
    order = {"seed": 1, "publish": {"facebook": [{"page": "a"}, own, {"page": "c", "at": None}], "other": {"x": 1}}}
    at = "2026-03-29T09:00:00+02:00"
    assert published_at(order, AT) == {
        "seed": 1,
        "publish": {
            "facebook": [{"page": "a", "at": at}, own, {"page": "c", "at": at}],
            "other": {"x": 1, "at": at},
        },
    }


def test_what_is_published_nowhere_stays_as_it_is() -> None:
    orders: list[dict[str, Any]] = [{}, {"publish": None}, {"publish": {}}, {"publish": {"facebook": None}}]
    for order in orders:
        assert published_at(order, AT) == order
