"""What a request says beside its film: priority, callback, client data, links."""

from __future__ import annotations

import re
from typing import Any

import pytest

from daemon.jobs import CallbackTo
from tests.daemon.web.house import House

URL = "https://n8n.example.org/webhook-waiting/8?signature=0123abcd"


def test_higher_priorities_go_first(house: House) -> None:
    late, soon, now = (house.submit({"priority": priority})["job_id"] for priority in (-10, 0, 10))
    assert [house.status(job_id)["queue_position"] for job_id in (now, soon, late)] == [1, 2, 3]
    for job_id in (now, soon, late):
        house.claim(job_id)


@pytest.mark.parametrize("name", ["callback_url", "webhook_url"])
def test_the_callback_is_kept_for_the_courier_alone(house: House, name: str) -> None:
    answer = house.client.post("/v1/generate", json={name: URL, "callback_headers": {"X-Token": "secret-4711"}})
    assert answer.status_code == 202, answer.text
    job = house.jobs.get(answer.json()["job_id"])
    assert job.callback == CallbackTo(URL, {"X-Token": "secret-4711"})
    assert job.spec == {}
    assert job.base_url == house.url
    said = answer.text + house.client.get(f"/v1/status/{job.id}").text + house.client.get("/v1/jobs").text
    assert "secret-4711" not in said
    assert "signature" not in said


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://LOCALHOST./x",
        "http://10.1.2.3:5678/webhook",
        "http://192.168.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_private_addresses_are_a_422_that_says_what_to_set(shared: House, url: str) -> None:
    for name in ("callback_url", "webhook_url"):
        answer = shared.client.post("/v1/generate", json={name: url})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [name]
        assert "VIX_PRIVATE_HOSTS" in answer.json()["message"]
    assert not shared.views.waiting()


@pytest.mark.parametrize("data", [None, "text", 0, [1, {"a": None}], {"row": 7, "é": "\u0645"}])
def test_client_data_comes_back_as_it_was(house: House, data: Any) -> None:
    said = house.submit({"client_data": data})
    assert said["client_data"] == data == house.status(said["job_id"])["client_data"]


def test_signed_links_open_the_film_without_a_key(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, b"film", thumbnail=b"picture")
    result = house.status(job_id)["result"]
    assert house.nobody.get(result["download_url"]).status_code == 401
    assert house.nobody.get(result["signed_download_url"]).content == b"film"
    assert house.nobody.get(result["signed_thumbnail_url"]).content == b"picture"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+00:00", result["signed_until"])
    swapped = result["signed_download_url"].replace(".mp4?", ".jpg?")
    assert house.nobody.get(swapped).status_code == 401
    assert house.nobody.get(result["signed_download_url"].replace("/download/", "/status/")).status_code != 200


def test_a_film_that_has_gone_has_no_signed_links(house: House) -> None:
    job_id = house.submit()["job_id"]
    assert house.jobs.finish(house.claim(job_id), {"bytes": 1}, film=None)
    result = house.status(job_id)["result"]
    assert {result[f"signed_{name}"] for name in ("download_url", "thumbnail_url", "until")} == {None}
    assert house.client.get(result["download_url"]).status_code == 410
