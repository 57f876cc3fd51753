"""`/admin` over HTTP: keys and what becomes of them, the library, the audit log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.store.audit import AuditStore
from daemon.store.database import open_database
from daemon.web.admin_doors import ADMIN_DOORS
from render.inspect import Inspection
from tests.daemon.web.house import INSIDE, MASTER_KEY, House, administered, opened, services_at


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    pruned: list[bool] = []

    def prune(is_dry: bool) -> dict[str, Any]:
        pruned.append(is_dry)
        return {"films": len(pruned)}

    services = replace(services_at(tmp_path), prune=prune, settings={"VIX_PORT": 8080, "VIX_MASTER_KEY": "set"})
    with opened(administered(services), []) as opened_house:
        opened_house.nobody.headers.update({"X-Master-Key": MASTER_KEY} | INSIDE)
        yield opened_house


def ask(house: House, method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    answer = house.nobody.request(method, path, content=None if body is None else json.dumps(body))
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def opens(house: House, secret: str) -> bool:
    answer = house.client.get("/v1/styles", headers={"X-Api-Key": secret})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_the_life_of_a_key(house: House) -> None:
    made = ask(house, "POST", "/admin/keys", {"name": "n8n", "limits": {"per_minute": 5}}, 201)
    assert (made["limits"]["per_minute"], made["own_limits"]["per_day"], made["scopes"]) == (
        5,
        None,
        ["submit", "read"],
    )
    assert opens(house, made["key"])
    path = f"/admin/keys/{made['id']}"

    changed = ask(house, "PATCH", path, {"limits": {"per_day": 9}, "expires_at": "2999-01-01T00:00:00+01:00"})
    assert changed["own_limits"] == {"per_minute": 5, "per_day": 9, "waiting": None}
    assert changed["expires_at"] == "2998-12-31T23:00:00.000+00:00"
    assert ask(house, "PATCH", path, {"limits": {"per_minute": None}})["own_limits"]["per_minute"] is None
    assert ask(house, "PATCH", path, {"expires_at": None, "scopes": ["metrics", "read"]})["scopes"] == [
        "read",
        "metrics",
    ]

    rotated = ask(house, "POST", f"{path}/rotate", {"overlap_h": 24})
    assert rotated["old_secret_until"] is not None
    assert opens(house, made["key"])
    assert opens(house, rotated["key"])
    again = ask(house, "POST", f"{path}/rotate", {"overlap_h": 0})
    assert [opens(house, secret) for secret in (made["key"], rotated["key"], again["key"])] == [False, False, True]

    assert ask(house, "DELETE", path)["revoked_at"] is not None
    assert ask(house, "DELETE", path)["revoked_at"] is not None
    assert not opens(house, again["key"])
    assert "is revoked" in ask(house, "POST", f"{path}/rotate", {}, 409)["message"]
    listed = ask(house, "GET", "/admin/keys")
    assert [key["name"] for key in listed["items"]] == ["one", "another", "n8n"]
    for secret in (made["key"], rotated["key"], again["key"]):
        assert secret not in json.dumps(listed)


def test_a_key_publishes_what_it_is_set_to(house: House) -> None:
    house.account("My Page")
    house.account("Shop")
    usual = {"facebook": {"page": "shop", "title": "{{day}}"}}
    made = ask(house, "POST", "/admin/keys", {"name": "n8n", "publish": usual}, 201)
    assert made["publish"] == usual
    headers = {"X-Api-Key": made["key"]}

    def goes_to(body: dict[str, Any]) -> list[str]:
        answer = house.nobody.post("/v1/generate", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return [one["account"] for one in answer.json()["deliveries"]]

    assert goes_to({"variables": {"day": "Monday"}}) == ["Shop"]
    path = f"/admin/keys/{made['id']}"
    assert ask(house, "PATCH", path, {"limits": {"per_day": 9}})["publish"] == usual
    both = {"facebook": [{"page": "Shop"}, {"page": "My Page"}]}
    assert ask(house, "PATCH", path, {"publish": both})["publish"] == both
    assert goes_to({}) == ["Shop", "My Page"]
    assert [key["publish"] for key in ask(house, "GET", "/admin/keys")["items"]] == [None, None, both]
    assert ask(house, "PATCH", path, {"publish": None})["publish"] is None
    assert goes_to({}) == []


@pytest.mark.parametrize(
    ("publish", "field"),
    [
        ({"facebook": {"page": "Shoop"}}, "publish.facebook.page"),
        ({"facebook": [{"page": "Shop"}, {}]}, "publish.facebook[1].page"),
        ({"facebook": {"page": "Shop", "at": "2020-01-01T00:00:00Z"}}, "publish.facebook.at"),
        ({"facebook": {"page": "Shop", "titel": "x"}}, "publish.facebook.titel"),
        ({"facebook": {"hashtags": ["two words"]}}, "publish.facebook.hashtags"),
        ({"myspace": {}}, "publish.myspace"),
        ("Shop", "publish"),
    ],
    ids=range(7),
)
def test_a_key_publishes_nowhere_that_is_not_there(house: House, publish: Any, field: str) -> None:
    house.account("Shop")
    house.account("Club")
    before = ask(house, "GET", "/admin/keys")
    path = f"/admin/keys/{before['items'][0]['id']}"
    for method, where, body in (("POST", "/admin/keys", {"name": "a"}), ("PATCH", path, {})):
        errors = ask(house, method, where, body | {"publish": publish}, 422)["errors"]
        assert [error["field"] for error in errors] == [field]
    assert ask(house, "GET", "/admin/keys") == before


def test_an_empty_body_is_an_empty_object(house: House) -> None:
    made = ask(house, "POST", "/admin/keys", {"name": "a"}, 201)
    assert ask(house, "POST", f"/admin/keys/{made['id']}/rotate")["old_secret_until"] is not None
    assert ask(house, "POST", "/admin/prune") == {"dry_run": False, "films": 1}
    assert ask(house, "POST", "/admin/prune", {"dry_run": True}) == {"dry_run": True, "films": 2}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "half \ud800"}, "name"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["admin"]}, "scopes[0]"),
        ({"name": "a", "limits": {"per_minute": -1}}, "limits.per_minute"),
        ({"name": "a", "limits": {"per_minute": 1.5}}, "limits.per_minute"),
        ({"name": "a", "limits": {"per_minute": True}}, "limits.per_minute"),
        ({"name": "a", "limits": {"per_minut": 1}}, "limits.per_minut"),
        ({"name": "a", "limits": {"waiting": 10**30}}, "limits.waiting"),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "a", "expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"name": "a", "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"name": "a", "expires_at": "0001-01-01T00:00:00+12:00"}, "expires_at"),
        ([], "(body)"),
    ],
    ids=range(17),
)
def test_a_wrong_field_is_named(house: House, body: Any, field: str) -> None:
    before = ask(house, "GET", "/admin/keys")
    errors = ask(house, "POST", "/admin/keys", body, 422)["errors"]
    assert [error["field"] for error in errors] == [field]
    assert ask(house, "GET", "/admin/keys") == before


@pytest.mark.parametrize("key_id", ["00000000", "x", "é", "a b", "%00", "a'b", "x" * 5000])
def test_a_key_that_is_not_there(house: House, key_id: str) -> None:
    for method, path in (("PATCH", key_id), ("DELETE", key_id), ("POST", f"{key_id}/rotate")):
        assert ask(house, method, f"/admin/keys/{path}", {}, 404)["type"] == "urn:vix:error:unknown_key"


def test_jobs_of_all_keys_page_by_page(house: House) -> None:
    mine = [house.submit()["job_id"] for _ in range(3)]
    theirs = house.stranger.post("/v1/generate", json={}).json()["job_id"]
    seen, url = [], "/admin/jobs?limit=3"
    while url:
        page = ask(house, "GET", url)
        seen += [(job["job_id"], job["key_id"]) for job in page["items"]]
        url = page["next"]
        assert not url or url.startswith(f"{house.url}/admin/jobs?")
    first, other = (key.id for key in house.keys.list()[:2])
    assert seen == [(theirs, other), *((job_id, first) for job_id in reversed(mine))]


def test_the_skip_list_is_shown_and_errands_are_left_to_the_worker(house: House) -> None:
    clip = house.services.library.clips("waves")[0]
    house.services.catalogue._put(clip, clip.stat(), Inspection(None, (0.5, 0.5), "it is broken"))
    shown = ask(house, "GET", "/admin/library")
    assert shown["skipped"] == [{"clip": "styles/waves/one.mp4", "reason": "it is broken"}]
    assert {"name": "waves", "clips": 2} in shown["styles"]
    scan = ask(house, "POST", "/admin/library/scan", status=202)
    assert ask(house, "POST", "/admin/library/scan", status=202) == scan
    unskip = ask(house, "POST", "/admin/library/unskip", {"clip": "styles/waves/one.mp4"}, 202)
    assert ask(house, "GET", "/admin/library")["errands"] == [unskip, scan]
    assert house.services.errands.next() is not None
    wrong = ask(house, "POST", "/admin/library/unskip", {"clip": "styles/waves/on.mp4"}, 422)
    assert "styles/waves/one.mp4" in wrong["message"]


def test_settings_are_those_that_were_handed_in(house: House) -> None:
    assert ask(house, "GET", "/admin/settings") == {"VIX_PORT": 8080, "VIX_MASTER_KEY": "set"}


def test_every_call_is_in_the_audit_log(house: House) -> None:
    house.nobody.get("/admin/settings")
    house.nobody.post("/admin/library/unskip", content=b"{")
    house.nobody.get("/admin/settings", headers={"X-Master-Key": "wrong"})
    house.nobody.get("/admin/settings?secret=1", headers={"X-Forwarded-For": "198.51.100.7"})
    house.nobody.get("/admin/settings", headers={"X-Forwarded-For": "nonsense"})
    house.nobody.delete("/admin/keys/a%0Ab")
    lines = ask(house, "GET", "/admin/audit")["items"]
    assert [(line["address"], line["method"], line["path"], line["status"]) for line in lines] == [
        ("127.0.0.1", "DELETE", "/admin/keys/a%0Ab", 404),
        ("unknown", "GET", "/admin/settings", 403),
        ("198.51.100.7", "GET", "/admin/settings", 403),
        ("127.0.0.1", "GET", "/admin/settings", 401),
        ("127.0.0.1", "POST", "/admin/library/unskip", 400),
        ("127.0.0.1", "GET", "/admin/settings", 200),
    ]


def test_the_audit_log_page_by_page(house: House) -> None:
    for _ in range(5):
        ask(house, "GET", "/admin/settings")
    first = ask(house, "GET", "/admin/audit?limit=3")
    second = ask(house, "GET", first["next"])
    ids = [line["id"] for line in first["items"] + second["items"]]
    # Reading is a call, too: the first page was written down before the second was read.
    assert ids == [5, 4, 3, 2, 1]
    assert second["next"] is None


def test_strangers_do_not_fill_the_audit_log(house: House) -> None:
    """One line a minute for each address, and so many for all of them, with little of what they made up."""
    path = f"/admin/keys/{'x' * 5000}"
    for address in [f"2001:db8:{number:x}::1" for number in range(70)]:
        for _ in range(2):
            assert house.nobody.patch(path, headers={"X-Forwarded-For": address}).status_code == 403
    ask(house, "GET", "/admin/settings")
    lines = ask(house, "GET", "/admin/audit?limit=500")["items"]
    assert [line["status"] for line in lines] == [200] + [403] * 60
    assert len({line["address"] for line in lines[1:]}) == 60
    assert {line["path"] for line in lines[1:]} == {path[:60]}


def test_an_audit_log_that_cannot_be_written_does_not_keep_an_operator_out(house: House) -> None:
    (house.data / "elsewhere").mkdir()
    gone = open_database(house.data / "elsewhere" / "vix.db")
    gone.close()
    shutil.rmtree(house.data / "elsewhere")
    services = replace(house.services, audit=AuditStore(gone))
    with opened(services, []) as full:
        headers = {"X-Master-Key": MASTER_KEY} | INSIDE
        assert full.nobody.post("/admin/prune", headers=headers).json()["films"] == 1


def test_answers_are_what_the_documentation_says(house: House) -> None:
    made = ask(house, "POST", "/admin/keys", {"name": "a"}, 201)
    house.submit()
    bodies = {"/admin/keys": {"name": "b"}, "/admin/prune": {"dry_run": True}}
    for door in ADMIN_DOORS:
        if door.path == "/admin/library/unskip":
            continue
        body = bodies.get(door.path, {}) if door.manual.body else None
        answer = house.nobody.request(door.method, door.path.replace("{key_id}", made["id"]), json=body)
        if answer.status_code == 409:  # a revoked key has no new secret
            assert door.path.endswith("/rotate")
            continue
        model = door.manual.replies[answer.status_code].model
        assert model is not None
        model.model_validate(answer.json())
        model.model_validate(door.manual.replies[answer.status_code].example)
