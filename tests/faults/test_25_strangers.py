"""Fault 25: keys are guessed, left out, borrowed; addresses are made up. Every door is tried by six who come by."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from daemon.errors import TooManyRequests
from daemon.jobs import Failure
from daemon.store.database import open_database
from daemon.store.keys import KeyStore
from daemon.web.access import Kind
from daemon.web.app import create_app
from daemon.web.door import Door
from daemon.web.doors import DOORS
from daemon.web.server import bound_server
from daemon.web.throttle import FAILURES, Throttle
from tests.daemon.web.house import INSIDE, MASTER_KEY, PEPPER, House, administered, opened, running, services_at

NO_JOB = "job_00000000000000000000"
BAD_KEY = "catv_00000000_" + "0" * 43

NO_SCHEDULE = "sch_00000000000000000000"
NO_DELIVERY = "dlv_00000000000000000000"
SCHEDULE = {"name": "Film", "every": "day", "at": "09:00", "spec": {}}

# What each door says to those who may come in, and the body it is given. A door that is missing here is untested.
GOOD: dict[tuple[str, str], tuple[int, dict[str, Any] | None]] = {
    ("GET", "/"): (200, None),
    ("GET", "/health"): (503, None),  # there is no worker
    ("GET", "/metrics"): (200, None),
    ("GET", "/v1/summary"): (200, None),
    ("GET", "/openapi.json"): (200, None),
    ("GET", "/docs"): (200, None),
    ("POST", "/v1/generate"): (202, {}),
    ("POST", "/v1/preview"): (409, {}),  # nobody has looked at its clips
    ("GET", "/v1/status/{job_id}"): (200, None),
    ("GET", "/v1/download/{name}"): (200, None),
    ("GET", "/v1/jobs"): (200, None),
    ("POST", "/v1/jobs/{job_id}/cancel"): (200, None),
    ("POST", "/v1/jobs/{job_id}/retry"): (202, None),
    ("GET", "/v1/jobs/{job_id}/events"): (200, None),
    ("GET", "/v1/jobs/{job_id}/callbacks"): (200, None),
    ("POST", "/v1/jobs/{job_id}/callbacks/redeliver"): (409, None),  # the job has none
    ("GET", "/v1/deliveries"): (200, None),
    ("GET", "/v1/deliveries/{delivery_id}"): (200, None),
    ("POST", "/v1/deliveries/{delivery_id}/resolve"): (409, {"outcome": "published"}),  # it is known what came of it
    ("GET", "/v1/styles"): (200, None),
    ("GET", "/v1/audio"): (200, None),
    ("GET", "/v1/fonts"): (200, None),
    ("GET", "/v1/schedules"): (200, None),
    ("POST", "/v1/schedules"): (201, SCHEDULE),
    ("GET", "/v1/schedules/{schedule_id}"): (200, None),
    ("PUT", "/v1/schedules/{schedule_id}"): (200, SCHEDULE),
    ("POST", "/v1/schedules/{schedule_id}/run"): (202, None),
    ("DELETE", "/v1/schedules/{schedule_id}"): (204, None),
    ("GET", "/admin/keys"): (200, None),
    ("POST", "/admin/keys"): (201, {"name": "new"}),
    ("PATCH", "/admin/keys/{key_id}"): (200, {}),
    ("DELETE", "/admin/keys/{key_id}"): (200, None),
    ("POST", "/admin/keys/{key_id}/rotate"): (409, {}),  # it is revoked by now
    ("GET", "/admin/jobs"): (200, None),
    ("GET", "/admin/library"): (200, None),
    ("POST", "/admin/library/scan"): (202, None),
    ("POST", "/admin/library/unskip"): (422, {"clip": "none"}),
    ("GET", "/admin/settings"): (200, None),
    ("POST", "/admin/prune"): (200, {"dry_run": True}),
    ("GET", "/admin/audit"): (200, None),
    ("GET", "/admin/accounts"): (200, None),
    ("POST", "/admin/accounts"): (422, {"token": "EAAx"}),  # there is no far side
    ("POST", "/admin/accounts/{account_id}/test"): (200, None),
    ("DELETE", "/admin/accounts/{account_id}"): (204, None),
    ("POST", "/admin/accounts/facebook/connect"): (200, {"app_id": "1", "app_secret": "x"}),
    ("GET", "/admin/accounts/facebook/connect"): (401, None),  # it brings nothing
    ("GET", "/accounts"): (200, None),
}
IDENTITIES = ("nobody", "bad key", "other key", "key", "master from outside", "master from inside")
WHO_COMES_IN = {
    Kind.NOTHING: IDENTITIES,
    Kind.KEY: ("key",),
    Kind.KEY_OR_LINK: ("key",),
    Kind.MASTER: ("master from inside",),
    Kind.RETURN: IDENTITIES,
}
ADDRESSES = (f"2001:db8:{number:x}::1" for number in itertools.count(1))


@dataclass(frozen=True)
class Street:
    """A house with doors, what is behind them, and those who come by."""

    house: House
    headers: dict[str, dict[str, str]]
    ids: dict[str, str]

    def call(self, door: Door, who: str, ids: dict[str, str] | None = None) -> httpx2.Response:
        """Try a door. Everybody but who is inside comes from an address of its own, so that none is held back."""
        path = door.path
        for name, value in {**self.ids, **self.of_this_door(door), **(ids or {})}.items():
            path = path.replace(f"{{{name}}}", value)
        by_address = door.access.kind in (Kind.MASTER, Kind.RETURN)
        is_inside = who == "master from inside" or (by_address and who != "master from outside")
        origin = INSIDE if is_inside else {"X-Forwarded-For": f"127.0.0.1, {next(ADDRESSES)}"}
        if door.access.kind is Kind.RETURN and is_inside:
            origin = {"X-Forwarded-For": "127.0.0.9"}  # of its own, too, as what it lacks counts like a wrong key
        _, body = GOOD[door.method, door.path]
        return self.house.nobody.request(door.method, path, headers=self.headers[who] | origin, json=body)

    def of_this_door(self, door: Door) -> dict[str, str]:
        """Jobs that are in the right state for what a door does."""
        named = {"/v1/jobs/{job_id}/cancel": "waiting", "/v1/jobs/{job_id}/retry": "failed"}
        return {"job_id": self.ids[named[door.path]]} if door.path in named else {}


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    services = administered(services_at(tmp_path_factory.mktemp("street")))
    with opened(services, []) as house:
        everything = ["submit", "read", "metrics"]
        (_, mine), (_, theirs) = (services.keys.create(name, scopes=everything) for name in ("mine", "theirs"))
        house.client.headers["X-Api-Key"] = mine
        published = house.published().deliveries[0].id
        done, failed, waiting = (house.submit()["job_id"] for _ in range(3))
        house.finish(done, b"film")
        assert house.jobs.fail(house.claim(failed), Failure("broken", "It broke.", permanent=False))
        scheduled = house.client.post("/v1/schedules", json=SCHEDULE).json()["id"]
        spare, _ = services.keys.create("spare")
        headers = {
            "nobody": {},
            "bad key": {"X-Api-Key": BAD_KEY},
            "other key": {"X-Api-Key": theirs},
            "key": {"X-Api-Key": mine},
            "master from outside": {"X-Master-Key": MASTER_KEY},
            "master from inside": {"X-Master-Key": MASTER_KEY},
        }
        ids = {"job_id": done, "failed": failed, "waiting": waiting, "name": f"{done}.mp4", "key_id": spare.id}
        ids["schedule_id"] = scheduled
        ids["delivery_id"] = published
        ids["account_id"] = house.account().id
        yield Street(house, headers, ids)


def expected(door: Door, who: str) -> int:
    """What the contract says this caller is answered at this door."""
    kind, good = door.access.kind, GOOD[door.method, door.path][0]
    if kind is Kind.RETURN and who == "master from outside":
        return 403
    if who in WHO_COMES_IN[kind]:
        return good
    if kind is Kind.MASTER:
        return 403 if who == "master from outside" else 401
    if who == "other key":
        return 404 if "{" in door.path else good
    return 401


def test_every_door_is_tried() -> None:
    assert {(door.method, door.path) for door in DOORS} <= set(GOOD)


@pytest.mark.parametrize("who", IDENTITIES)
def test_every_door_answers_who_it_should(street: Street, who: str) -> None:
    answers = {(door.method, door.path): street.call(door, who).status_code for door in DOORS}
    assert answers == {(door.method, door.path): expected(door, who) for door in DOORS}


@pytest.mark.parametrize("door", [door for door in DOORS if "{job_id}" in door.path or "{name}" in door.path])
def test_somebody_elses_job_is_like_none(street: Street, door: Door) -> None:
    theirs = street.call(door, "other key")
    none = street.call(door, "other key", {"job_id": NO_JOB, "name": f"{NO_JOB}.mp4"})
    assert theirs.status_code == none.status_code == 404
    said, said_of_none = theirs.json(), none.json()
    assert said.pop("instance") != said_of_none.pop("instance")
    assert said == said_of_none
    assert {*theirs.headers} == {*none.headers}


@pytest.mark.parametrize("door", [door for door in DOORS if "{schedule_id}" in door.path])
def test_somebody_elses_schedule_is_like_none(street: Street, door: Door) -> None:
    kept = street.house.client.post("/v1/schedules", json=SCHEDULE).json()["id"]
    theirs, none = (street.call(door, "other key", {"schedule_id": one}) for one in (kept, NO_SCHEDULE))
    assert theirs.status_code == none.status_code == 404
    said, said_of_none = theirs.json(), none.json()
    assert said.pop("instance") != said_of_none.pop("instance")
    assert said == said_of_none
    assert street.house.client.get(f"/v1/schedules/{kept}").status_code == 200


@pytest.mark.parametrize("door", [door for door in DOORS if "{delivery_id}" in door.path])
def test_somebody_elses_delivery_is_like_none(street: Street, door: Door) -> None:
    theirs = street.call(door, "other key")
    none = street.call(door, "other key", {"delivery_id": NO_DELIVERY})
    assert theirs.status_code == none.status_code == 404
    said, said_of_none = theirs.json(), none.json()
    assert said.pop("instance") != said_of_none.pop("instance")
    assert said == said_of_none


@pytest.mark.parametrize(
    "trick",
    [
        {"X-Forwarded-For": "127.0.0.1, 198.51.100.7"},
        {"X-Forwarded-For": "127.0.0.1,::1, 198.51.100.7,127.0.0.1"},
        {"X-Forwarded-For": "unknown"},
        {"X-Forwarded-For": ""},
        {"X-Forwarded-For": "127.0.0.1:"},
        {},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"CF-Connecting-IP": "127.0.0.1"},
        {"Host": "127.0.0.1", "X-Forwarded-For": "198.51.100.7"},
        {"X-Forwarded-Host": "127.0.0.1", "X-Forwarded-For": "::ffff:198.51.100.7"},
    ],
)
def test_nobody_talks_himself_into_admin(street: Street, trick: dict[str, str]) -> None:
    answer = street.house.nobody.get("/admin/keys", headers={"X-Master-Key": MASTER_KEY, **trick})
    assert answer.status_code == 403
    assert "items" not in answer.text


@pytest.mark.parametrize("path", ["/admin/keys/", "//admin/keys", "/admin//keys", "/ADMIN/keys", "/admin/keys%00"])
def test_no_other_spelling_leads_to_admin(street: Street, path: str) -> None:
    url = httpx2.URL(street.house.url).copy_with(raw_path=path.encode())
    assert street.house.nobody.get(url, headers={"X-Master-Key": MASTER_KEY}).status_code == 404


def test_the_host_decides_nothing(street: Street) -> None:
    for host in ("x/health?", "x/health", "x#", "127.0.0.1"):
        assert street.house.nobody.get("/v1/styles", headers={"Host": host}).status_code == 401
        assert street.house.nobody.get("/admin/keys", headers={"Host": host} | INSIDE).status_code == 401


def test_without_a_master_key_admin_is_like_no_path_at_all(tmp_path: Path) -> None:
    services = services_at(tmp_path)
    with opened(services, []) as house:
        nothing = house.nobody.get("/nothing", headers={"X-Master-Key": MASTER_KEY}).json()
        for door in DOORS:
            if door.access.of_operator:
                for key in (MASTER_KEY, ""):
                    path = door.path.replace("{key_id}", "Ab3dEf6h").replace("{account_id}", "acc_000000000000")
                    answer = house.nobody.request(door.method, path, headers={"X-Master-Key": key})
                    assert answer.status_code == 404
                    assert answer.json() == nothing | {"instance": path}
        assert services.audit.page(1) == []


def test_the_right_to_read_is_none_to_submit(street: Street) -> None:
    _, reader = street.house.keys.create("reader", scopes=["read"])
    headers = {"X-Api-Key": reader}
    assert street.house.nobody.get("/v1/styles", headers=headers).status_code == 200
    refused = street.house.nobody.post("/v1/generate", headers=headers, json={})
    assert refused.status_code == 403
    assert '"submit"' in refused.json()["message"]


def test_guessing_is_held_back_before_the_database_is_asked(tmp_path: Path) -> None:
    services = services_at(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    gone = open_database(tmp_path / "elsewhere" / "vix.db")
    gone.close()
    shutil.rmtree(tmp_path / "elsewhere")
    throttle = Throttle()
    app = create_app(replace(administered(services), keys=KeyStore(gone, PEPPER)), throttle)
    with running(services, bound_server(app, "127.0.0.1", 0)) as server:

        def guess(address: str) -> httpx2.Response:
            headers = {"X-Api-Key": BAD_KEY, "X-Forwarded-For": address}
            return httpx2.get(f"{server.url}/v1/styles", headers=headers, trust_env=False, timeout=30)

        assert guess("198.51.100.1").status_code == 503  # this is what asking it comes to
        for _ in range(FAILURES):
            throttle.failed("198.51.100.1")
            throttle.failed("2001:db8::/64")
        with pytest.raises(TooManyRequests):
            throttle.check("198.51.100.1")
        for address in ("198.51.100.1", "::ffff:198.51.100.1", "2001:db8::1", "2001:db8::2:3"):
            answer = guess(address)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert guess("198.51.100.2").status_code == 503


def test_a_flow_with_a_wrong_key_does_not_lock_out_the_one_beside_it(street: Street) -> None:
    address = {"X-Forwarded-For": "203.0.113.5"}
    good = street.headers["key"] | address
    assert street.house.nobody.get("/v1/styles", headers=good).status_code == 200
    wrong = [street.house.nobody.get("/v1/styles", headers={"X-Api-Key": BAD_KEY} | address) for _ in range(30)]
    assert [answer.status_code for answer in wrong] == [401] * 10 + [429] * 20
    assert street.house.nobody.get("/v1/styles", headers=good).status_code == 200


def test_behind_an_unnamed_proxy_a_wrong_key_locks_out_nobody_else(tmp_path: Path) -> None:
    """All come from one address there, which may be anybody's."""
    with opened(services_at(tmp_path), []) as house:
        proxied = {"X-Forwarded-For": "203.0.113.5"}
        for key in (BAD_KEY, "nonsense"):
            wrong = [house.nobody.get("/v1/styles", headers={"X-Api-Key": key} | proxied) for _ in range(12)]
            assert [answer.status_code for answer in wrong] == [401] * 10 + [429] * 2
        assert house.client.get("/v1/styles", headers=proxied).status_code == 200


def test_the_master_key_cannot_be_guessed_quickly(street: Street) -> None:
    inside = {"X-Master-Key": MASTER_KEY} | INSIDE
    assert street.house.nobody.get("/admin/keys", headers=inside).status_code == 200
    headers = {"X-Forwarded-For": "127.0.0.1"}
    answers = [
        street.house.nobody.get("/admin/keys", headers=headers | {"X-Master-Key": f"{MASTER_KEY}{number}"})
        for number in range(15)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 5
    # The operator, who was let in before, still is.
    assert street.house.nobody.get("/admin/keys", headers=inside).status_code == 200
