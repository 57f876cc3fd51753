"""Deliveries over HTTP: whose they are, page by page, and what a person says of one that nobody can tell of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.deliveries.life import State, Step
from daemon.jobs import Status
from tests.daemon.web.house import House
from tests.daemon.web.test_openapi import hold

NONE = "dlv_00000000000000000000"


def unknown(house: House) -> str:
    """Get a delivery that is `unknown`."""
    return house.unknown(house.published()).id


def resolve(house: House, delivery_id: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = house.client.post(f"/v1/deliveries/{delivery_id}/resolve", json=body)
    assert answer.status_code == status, answer.text
    hold("POST", "/v1/deliveries/{delivery_id}/resolve", status, answer.json())
    return dict(answer.json())


def test_a_list_page_by_page_and_by_state(house: House) -> None:
    assert house.client.get("/v1/deliveries").json() == {"items": [], "next": None}
    made = [house.published().deliveries[0].id for _ in range(3)]
    seen, url = [], "/v1/deliveries?limit=2&state=ready,done"
    while url:
        page = house.client.get(url).json()
        hold("GET", "/v1/deliveries", 200, page)
        seen += [one["delivery_id"] for one in page["items"]]
        url = page["next"]
    assert seen == made[::-1]
    assert house.client.get("/v1/deliveries?state=done").json()["items"] == []
    assert house.stranger.get("/v1/deliveries").json()["items"] == []
    one = house.client.get(f"/v1/deliveries/{made[0]}").json()
    hold("GET", "/v1/deliveries/{delivery_id}", 200, one)
    assert (one["account"], one["state"], one["target"], one["link"]) == ("My Page", "ready", "facebook", None)
    status = house.status(one["job_id"])
    hold("GET", "/v1/status/{job_id}", 200, status)
    assert (status["status"], status["deliveries"]) == ("delivering", [one])


def test_published_with_a_link(house: House) -> None:
    link = "https://www.facebook.com/reel/5?x=1"
    found = unknown(house)
    said = resolve(house, found, {"outcome": "published", "link": link})
    assert (said["state"], said["link"], said["error"]) == ("done", link, None)
    assert house.jobs.get(said["job_id"]).status is Status.DONE
    refused = resolve(house, found, {"outcome": "published"}, 409)
    assert refused["delivery_state"] == "done"
    assert "job_status" not in refused
    assert "The delivery cannot be resolved" in refused["message"]


def test_not_published_goes_out_again_and_given_up_does_not(house: House) -> None:
    said = resolve(house, unknown(house), {"outcome": "not_published"})
    assert (said["state"], said["next_try_at"] is None) == ("ready", False)
    again = house.services.deliveries.claim_due("a seat.2", 60)
    assert again is not None
    assert again.remote == {}
    assert house.services.deliveries.let_go(again, Step(State.CANCELLED, {}))  # out of the way of the next one
    said = resolve(house, unknown(house), {"outcome": "give_up"})
    assert (said["state"], said["error"]["code"]) == ("failed", "given_up")
    assert house.jobs.get(said["job_id"]).status is Status.FAILED


def test_what_is_no_answer(house: House) -> None:
    found = unknown(house)
    for body, field in (
        ({}, "outcome"),
        ({"outcome": "yes"}, "outcome"),
        ({"outcome": "published", "link": "javascript:alert(1)"}, "link"),
        ({"outcome": "published", "link": "https://"}, "link"),
        ({"outcome": "published", "link": "https://x.example/" + "a" * 2000}, "link"),
        ({"outcome": "published", "link": 5}, "link"),
        ({"outcome": "not_published", "link": "https://x.example/"}, "link"),
        ({"outcome": "published", "url": "https://x.example/"}, "url"),
    ):
        assert [error["field"] for error in resolve(house, found, body, 422)["errors"]] == [field], body
    assert house.services.deliveries.get(found).state is State.UNKNOWN
    for query in ("?state=lost", "?state=", "?limit=0", "?limit=101", "?cursor=x", "?kind=template"):
        assert house.client.get(f"/v1/deliveries{query}").status_code == 422, query


@pytest.mark.parametrize("delivery_id", [NONE, "x", "dlv_", "%00", "DLV_" + "0" * 20, "a" * 3000])
def test_one_that_is_not_there(shared: House, delivery_id: str) -> None:
    for answer in (
        shared.client.get(f"/v1/deliveries/{delivery_id}"),
        shared.client.post(f"/v1/deliveries/{delivery_id}/resolve", json={"outcome": "give_up"}),
    ):
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:vix:error:unknown_delivery"


def test_saying_so_takes_the_right_to_submit(house: House) -> None:
    found = unknown(house)
    key_id = house.jobs.get(house.services.deliveries.get(found).job_id).key_id
    house.keys.change(key_id, lambda key: replace(key, scopes=frozenset({"read"})))
    assert house.client.get(f"/v1/deliveries/{found}").status_code == 200
    resolve(house, found, {"outcome": "published"}, 403)
