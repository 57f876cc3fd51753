"""Who may pass: every door but the public ones asks for a key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.routing import Route

from tests.daemon.web.house import House

PUBLIC = {"/", "/health"}


def requests(house: House) -> Iterator[tuple[str, str, bool]]:
    """Method, path and whether it is public, for every route of the application."""
    for route in house.app.routes:
        assert isinstance(route, Route), "a route of another kind needs its own test"
        path = route.path.replace("{job_id}", "job_00000000000000000000").replace(
            "{name}", "job_00000000000000000000.mp4"
        )
        for method in sorted(route.methods or ()):
            yield method, path, route.path in PUBLIC


def test_every_route_without_a_key(shared: House) -> None:
    seen = set()
    for method, path, public in requests(shared):
        answer = shared.client.request(method, path, headers={"X-Api-Key": ""})
        if public:
            assert answer.status_code in {200, 503}, path
        else:
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == 'Bearer realm="vix"'
            assert method == "HEAD" or "X-Api-Key" in answer.json()["message"]
        seen.add(path)
    assert len(seen) > len(PUBLIC) + 3


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Api-Key": "catv_00000000_" + "0" * 43},
        {"X-Api-Key": "catv_"},
        {"X-Api-Key": "x" * 10_000},
        {"X-Api-Key": "catv_é_é".encode("latin-1")},
        {"X-Api-Key": "catv_'; drop table keys; --_x"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "catv_00000000_0"},
        {"X-Master-Key": "x"},
        {"Cookie": "X-Api-Key=x"},
    ],
    ids=range(11),
)
def test_every_closed_route_with_a_wrong_key(shared: House, headers: dict[str, str]) -> None:
    for method, path, public in requests(shared):
        if not public:
            answer = shared.nobody.request(method, path, headers=headers)
            assert answer.status_code == 401, path
            assert not shared.jobs.waiting()


def test_a_key_in_the_query_or_the_host_opens_nothing(shared: House) -> None:
    assert shared.nobody.get(f"/v1/styles?X-Api-Key={shared.key}&api_key={shared.key}").status_code == 401
    assert shared.nobody.get("/v1/styles", headers={"Host": f"x/health?{shared.key}"}).status_code == 401
    assert shared.nobody.get("/v1/styles", headers={"Host": "x/health"}).status_code == 401


def test_either_header_opens(shared: House) -> None:
    for headers in (
        {"X-Api-Key": shared.key},
        {"Authorization": f"Bearer {shared.key}"},
        {"Authorization": f"bearer   {shared.key}"},
    ):
        assert shared.nobody.get("/v1/styles", headers=headers).status_code == 200


def test_a_revoked_key_opens_nothing_any_more(shared: House) -> None:
    key, secret = shared.keys.create("for a day")
    headers = {"X-Api-Key": secret}
    assert shared.nobody.get("/v1/styles", headers=headers).status_code == 200
    shared.keys.revoke(key.id)
    assert shared.nobody.get("/v1/styles", headers=headers).status_code == 401


def test_an_answer_never_repeats_the_key(shared: House) -> None:
    wrong = shared.key[:-4] + "0000"
    answer = shared.nobody.get("/v1/styles", headers={"X-Api-Key": wrong})
    assert answer.status_code == 401
    assert wrong not in answer.text
    assert wrong[-20:] not in str(answer.headers)
