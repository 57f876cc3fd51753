"""What a caller may present, and what an answer tells about limits. Every door and every caller: `tests/faults`, 25."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from daemon.jobs import Limits
from daemon.store.keys import OwnLimits
from daemon.web.access import access_rules
from tests.daemon.web.house import House, administered, opened, services_at

ADDRESSES = (f"2001:db8:{number:x}::1" for number in itertools.count(1))
LIMITED = OwnLimits(per_minute=3, per_day=10, waiting=7)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house behind a proxy, so that each call can come from an address of its own and is not held back."""
    with opened(administered(services_at(tmp_path_factory.mktemp("house"))), []) as house:
        yield house


def call(house: House, path: str, headers: Mapping[str, str | bytes]) -> httpx2.Response:
    pairs = {"X-Forwarded-For": next(ADDRESSES), **headers}.items()
    raw = {name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in pairs}
    return house.nobody.get(path, headers=raw)


def link(house: House, name: str, valid_s: float) -> str:
    expires = int((datetime.now(UTC) + timedelta(seconds=valid_s)).timestamp())
    return f"/v1/download/{name}?{house.services.signer.query(name, expires)}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Api-Key": ""},
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
    ids=range(13),
)
def test_nothing_but_a_key_opens(shared: House, headers: dict[str, str | bytes]) -> None:
    answer = call(shared, "/v1/styles", headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="vix"'
    assert "ratelimit" not in answer.headers


def test_a_key_in_the_query_opens_nothing(shared: House) -> None:
    assert call(shared, f"/v1/styles?X-Api-Key={shared.key}&api_key={shared.key}", {}).status_code == 401


def test_either_header_opens(shared: House) -> None:
    for headers in (
        {"X-Api-Key": shared.key},
        {"Authorization": f"Bearer {shared.key}"},
        {"Authorization": f"bearer   {shared.key}"},
    ):
        assert call(shared, "/v1/styles", headers).status_code == 200


def test_a_revoked_key_opens_nothing_any_more(shared: House) -> None:
    key, secret = shared.keys.create("for a day")
    assert call(shared, "/v1/styles", {"X-Api-Key": secret}).status_code == 200
    shared.keys.revoke(key.id)
    assert call(shared, "/v1/styles", {"X-Api-Key": secret}).status_code == 401


def test_an_answer_never_repeats_the_key(shared: House) -> None:
    wrong = shared.key[:-4] + "0000"
    answer = call(shared, "/v1/styles", {"X-Api-Key": wrong})
    assert answer.status_code == 401
    assert wrong not in answer.text
    assert wrong[-20:] not in str(answer.headers)


def test_the_use_of_a_key_is_written_down(shared: House) -> None:
    key, secret = shared.keys.create("used")
    assert call(shared, "/v1/styles", {"X-Api-Key": secret}).status_code == 200
    # It is written after the answer; the next one over the same threads comes after that.
    while shared.keys.get(key.id).used_at is None:
        call(shared, "/v1/styles", {"X-Api-Key": secret})
    assert shared.keys.get(key.id).used_at is not None


def test_every_authorised_answer_tells_the_limits(shared: House) -> None:
    _, secret = shared.keys.create("limited", limits=LIMITED)
    headers = {"X-Api-Key": secret}
    paths = {"/v1/styles": 200, "/v1/jobs?limit=x": 422, "/v1/status/job_00000000000000000000": 404}
    for path, status in paths.items():
        answer = call(shared, path, headers)
        assert answer.status_code == status
        assert answer.headers["ratelimit-policy"] == (
            '"minute";q=3;w=60, "day";q=10;w=86400, "waiting";q=7;qu="concurrent-requests"'
        )
        assert answer.headers["ratelimit"].startswith('"minute";r=3;t=0, "day";r=10;t=')


def test_a_key_that_lacks_a_scope_is_told_its_limits_too(shared: House) -> None:
    _, secret = shared.keys.create("reader", scopes=["metrics"], limits=LIMITED)
    answer = call(shared, "/v1/styles", {"X-Api-Key": secret})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:vix:error:missing_scope")
    assert answer.headers["ratelimit"].startswith('"minute";r=3;t=0, "day";r=10;t=')


def test_what_is_left_is_told_after_each_job(shared: House) -> None:
    _, secret = shared.keys.create("limited", limits=LIMITED)
    headers = {"X-Api-Key": secret}
    answers = [shared.nobody.post("/v1/generate", headers=headers, json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    left = [answer.headers["ratelimit"].split(", ") for answer in answers]
    assert [minute.partition(";t=")[0] for minute, _ in left] == [f'"minute";r={r}' for r in (2, 1, 0, 0)]
    assert [day.partition(";t=")[0] for _, day in left] == [f'"day";r={r}' for r in (9, 8, 7, 7)]
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert "3 jobs a minute" in answers[3].json()["message"]


def test_a_key_without_limits_is_told_none(shared: House) -> None:
    assert shared.keys.list()[0].limits == Limits()
    assert not {"ratelimit", "ratelimit-policy"} & {*shared.client.get("/v1/styles").headers}


def test_a_signed_link_opens_one_file_without_a_key(shared: House) -> None:
    job_id = shared.submit()["job_id"]
    while (waiting := shared.jobs.claim("a worker")) and waiting.id != job_id:
        assert shared.jobs.finish(waiting.claim, {})
    job = shared.jobs.get(job_id)
    (shared.films / f"{job.stem}.mp4").write_bytes(b"film")
    assert shared.jobs.finish(job.claim, {"sha256": "x"}, film=job.stem)
    name = f"{job_id}.mp4"
    answer = call(shared, link(shared, name, 60), {})
    assert (answer.status_code, answer.content) == (200, b"film")
    other = link(shared, name, 60).replace("/v1/download/", "/v1/status/").replace(".mp4", "")
    for path in (
        link(shared, name, 60) + "0",
        link(shared, f"{job_id}.jpg", 60).replace(".jpg?", ".mp4?"),
        link(shared, name, 60).replace("expires=", "expires=1"),
        f"/v1/download/{name}?signature=&expires=",
        f"/v1/download/{name}?expires=9999999999",
        other,
    ):
        assert call(shared, path, {}).status_code == 401, path
    expired = call(shared, link(shared, name, -1), {})
    assert (expired.status_code, expired.json()["type"]) == (401, "urn:vix:error:link_expired")
    # A link says nothing to who has a key of its own.
    assert call(shared, link(shared, name, 60), {"X-Api-Key": "nonsense"}).status_code == 401


@pytest.mark.parametrize("is_revoked", [True, False], ids=["revoked", "expired"])
def test_a_signed_link_opens_no_longer_than_the_key(shared: House, is_revoked: bool) -> None:
    key, secret = shared.keys.create("for a while")
    job_id = shared.nobody.post("/v1/generate", headers={"X-Api-Key": secret}, json={}).json()["job_id"]
    path = link(shared, f"{job_id}.mp4", 60)
    assert call(shared, path, {}).status_code == 409  # there is no film yet, and the link is good
    if is_revoked:
        shared.keys.revoke(key.id)
    else:
        shared.keys.change(key.id, lambda key: replace(key, expires_at=datetime.now(UTC)))
    refused = call(shared, path, {})
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:vix:error:link_expired")


def test_a_method_that_a_path_does_not_answer_is_told_all_that_it_does(shared: House) -> None:
    answer = shared.nobody.put("/admin/keys")
    assert answer.status_code == 405
    assert {*answer.headers["allow"].split(", ")} == {"GET", "HEAD", "POST"}


def test_links_begin_with_https_behind_a_proxy_that_says_so(shared: House) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7", "Host": "films.example.org"}
    answer = shared.nobody.get("/", headers=headers)
    assert answer.json()["health_url"] == "https://films.example.org/health"


@pytest.mark.parametrize("key", ["short", "x" * 23])
def test_a_short_master_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="24") as caught:
        access_rules(key)
    assert key not in str(caught.value)
    rules = access_rules("x" * 24)
    assert "x" * 24 not in repr(rules)
    assert [rules.is_master(text) for text in ("x" * 24, "x" * 25, "", "é")] == [True, False, False, False]
    assert not access_rules().is_master("")
