"""`/admin/accounts` over HTTP, with the far side: connect, list, test, disconnect, and the page for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.store.vault import VaultStore
from tests.daemon.web.house import INSIDE, MASTER_KEY, House, administered, opened, services_at
from tests.daemon.web.test_openapi import hold
from tests.fakes import facebook as far_side
from tests.fakes.facebook import APP_ID, APP_SECRET, Asked, Facebook, Reply

APP = {"app_id": APP_ID, "app_secret": APP_SECRET}
TOKEN = "EAAshort" + "1" * 40


@dataclass
class Place:
    """A house with a master key, and Facebook."""

    house: House
    far: Facebook

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        content = None if body is None else json.dumps(body)
        answer = self.house.nobody.request(method, path, content=content)
        assert answer.status_code == status, answer.text
        for secret in (TOKEN, APP_SECRET, MASTER_KEY):
            assert secret not in answer.text
        if status == 204:
            return {}
        hold(method, re.sub("acc_[a-z0-9]{12,40}", "{account_id}", path), status, answer.json())
        return dict(answer.json())

    def connect(self, **more: Any) -> list[dict[str, Any]]:
        self.far.user_token(TOKEN)
        return list(self.ask("POST", "/admin/accounts", {"token": TOKEN, **APP, **more}, 201)["items"])

    def listed(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/admin/accounts")["items"])

    def vault(self) -> VaultStore:
        return VaultStore(self.house.services.accounts._database)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with far_side.facebook(pages=2) as far:
        services = administered(services_at(tmp_path, facebook_url=far.url))
        with opened(services, []) as house:
            house.nobody.headers.update({"X-Master-Key": MASTER_KEY} | INSIDE)
            yield Place(house, far)


def test_from_a_token_to_pages_and_back(place: Place) -> None:
    assert place.listed() == []
    connected = place.connect()
    assert [(one["name"], one["state"], one["expires_at"]) for one in connected] == [
        ("Page 1", "ok", None),
        ("Page 2", "ok", None),
    ]
    assert 89 <= connected[0]["days_left"] <= 90
    assert connected[0]["scopes"] == list(far_side.SCOPES)
    assert place.listed() == connected
    # A film can be published there now.
    place.house.submit({"publish": {"facebook": {"page": "Page 2"}}})

    looked = place.ask("POST", f"/admin/accounts/{connected[0]['id']}/test")
    assert (looked["state"], looked["not_looked_at"]) == ("ok", None)
    assert looked["checked_at"] > connected[0]["checked_at"]

    gone = connected[0]["id"]
    assert place.vault().get(gone) is not None
    for _ in range(2):
        place.ask("DELETE", f"/admin/accounts/{gone}", status=204)
        assert place.vault().get(gone) is None
    assert place.listed() == connected[1:]
    place.ask("POST", f"/admin/accounts/{gone}/test", status=404)
    # Connected again, it is what it was.
    assert [one["id"] for one in place.connect(pages=["page 1"])] == [gone]


def test_a_dead_token_is_found_by_a_test_and_says_why(place: Place) -> None:
    account = place.connect()[0]
    for token in place.far.tokens.values():
        token.dead = (190, 460)
    looked = place.ask("POST", f"/admin/accounts/{account['id']}/test")
    assert (looked["state"], looked["days_left"]) == ("dead", 0)
    assert "password was changed" in looked["problem"]
    assert place.connect(token=place.far.user_token("EAAnew" + "2" * 40))[0]["state"] == "ok"


def test_what_could_not_be_asked_changes_nothing(place: Place) -> None:
    account = place.connect()[0]
    place.far.script = lambda asked: Reply(500, "<html>down</html>")
    looked = place.ask("POST", f"/admin/accounts/{account['id']}/test")
    assert "Facebook answered 500" in looked.pop("not_looked_at")
    assert {**looked, "days_left": 0} == {**account, "days_left": 0}


def test_a_token_that_is_refused_is_one_sentence(place: Place) -> None:
    place.far.user_token(TOKEN)
    for body, part in (
        ({"token": TOKEN}, "give the app's id and secret"),
        ({"token": TOKEN, **APP, "pages": ["Page 3"]}, 'the token is good for "Page 1"'),
        ({"token": "EAAwrong", **APP}, "does not accept the token"),
    ):
        refused = place.ask("POST", "/admin/accounts", body, 422)
        assert (refused["type"], "errors" in refused) == ("urn:vix:error:account_refused", False)
        assert part in refused["message"]
    assert place.listed() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "token"),
        ({"token": ""}, "token"),
        ({"token": f"{TOKEN} x"}, "token"),
        ({"token": f"{TOKEN}\nX: y"}, "token"),
        ({"token": TOKEN * 100}, "token"),
        ({"token": [TOKEN]}, "token"),
        ({"token": TOKEN, "kind": "myspace"}, "kind"),
        ({"token": TOKEN, "app_id": f"{APP_SECRET}"}, "app_id"),
        ({"token": TOKEN, "app_secret": f"{APP_SECRET}\r\nA: b"}, "app_secret"),
        ({"token": TOKEN, "pages": "Page 1"}, "pages"),
        ({"token": TOKEN, "secret": APP_SECRET}, "secret"),
    ],
    ids=range(11),
)
def test_a_wrong_field_is_named_and_not_repeated(place: Place, body: Any, field: str) -> None:
    errors = place.ask("POST", "/admin/accounts", body, 422)["errors"]
    assert [error["field"] for error in errors] == [field]
    assert place.far.asked == []


@pytest.mark.parametrize("account_id", ["acc_000000000000", "x", "%00", "acc_00000000000A"])
def test_one_that_is_not_there(place: Place, account_id: str) -> None:
    for method, path in (("POST", f"{account_id}/test"), ("DELETE", account_id)):
        answer = place.house.nobody.request(method, f"/admin/accounts/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:vix:error:unknown_account")


def test_who_waits_for_facebook_holds_up_nobody(place: Place) -> None:
    """The far side is slow; everything else is answered meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    answered: list[str] = []

    def slow(asked: Asked) -> Reply:
        # The answer waits until the service has answered others, as often as it has threads for the database.
        answers = [place.house.client.get("/v1/jobs").status_code for _ in range(10)]
        answered.extend(map(str, answers))
        return Reply(400, {"error": {"code": 190, "message": "no"}})

    place.far.script = slow
    with ThreadPoolExecutor(12) as pool:
        refused = list(
            pool.map(lambda _: place.ask("POST", "/admin/accounts", {"token": TOKEN, **APP}, 422), range(12))
        )
    assert len(refused) == 12
    assert set(answered) == {"200"}


def test_every_call_is_in_the_audit_log_without_what_it_said(place: Place) -> None:
    account = place.connect()[0]
    place.ask("POST", f"/admin/accounts/{account['id']}/test")
    place.ask("DELETE", f"/admin/accounts/{account['id']}", status=204)
    lines = place.ask("GET", "/admin/audit")["items"]
    assert [(line["method"], line["path"], line["status"]) for line in reversed(lines)] == [
        ("POST", "/admin/accounts", 201),
        ("POST", f"/admin/accounts/{account['id']}/test", 200),
        ("DELETE", f"/admin/accounts/{account['id']}", 204),
    ]


def test_the_page_holds_no_data_and_nothing_from_elsewhere(place: Place) -> None:
    place.connect()
    answer = place.house.nobody.get("/accounts", headers={"X-Master-Key": ""})
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert not re.search(r"https?:|unsafe", policy)
    assert not re.search(r"\s(src|style|on[a-z]+)=|url\(|@import|innerHTML|<link[^>]*href=\"(?!data:)", answer.text)
    assert "Page 1" not in answer.text
    assert f"{place.house.url}/admin/accounts/facebook/connect" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    evil = place.house.nobody.get("/accounts", headers={"Host": "<script>"}).text
    assert "<script>alert" not in evil


def test_dying_soon_is_in_the_list(place: Place) -> None:
    ends = place.house.services.now() + timedelta(days=5, hours=1)
    place.house.account("Shop", ends)
    (shop,) = place.listed()
    assert (shop["days_left"], shop["expires_at"][:10]) == (5.0, f"{ends:%Y-%m-%d}")
