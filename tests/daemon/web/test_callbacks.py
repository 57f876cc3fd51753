"""`/v1/jobs/{id}/callbacks`: what a key's owner reads of who was told, and telling them again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daemon.jobs import Failure
from daemon.store.callbacks import NewCallback, Outcome, State, Try, insert
from daemon.store.database import open_database
from daemon.web.models import Callbacks
from tests.daemon.web.house import House

URL = "https://n8n.example/webhook-waiting/8?signature=canary"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def put(house: House, job_id: str, key_id: str | None = None) -> None:
    job = house.jobs.get(job_id)
    database = open_database(house.data / "vix.db")
    type_ = f"job.{job.status}" if job.finished_at else "job.done"
    new = NewCallback(job_id, key_id or job.key_id, type_, URL, {"Authorization": "canary"}, "{}", AT, AT)
    with database.write() as connection:
        insert(connection, new)
    database.close()


def carry(house: House, *outcomes: tuple[State, int | None, str]) -> None:
    for state, status, message in outcomes:
        callback = house.services.callbacks.claim_due("seat.1", 60)
        assert callback is not None
        assert house.services.callbacks.record(callback, "seat.1", Outcome(Try(AT, status, message, 23), state))


def test_the_log_of_tries(house: House) -> None:
    job_id = house.submit()["job_id"]
    assert house.client.get(f"/v1/jobs/{job_id}/callbacks").json() == {"items": [], "next": None}
    put(house, job_id)
    (item,) = house.client.get(f"/v1/jobs/{job_id}/callbacks").json()["items"]
    assert (item["state"], item["tries"], item["next_try_at"]) == ("ready", [], "2026-03-04T05:06:07.000+00:00")
    carry(house, (State.READY, None, "No connection."), (State.DONE, 200, "Taken."))
    answer = house.client.get(f"/v1/jobs/{job_id}/callbacks")
    assert "canary" not in answer.text
    (item,) = answer.json()["items"]
    assert item["id"].startswith("msg_")
    assert (item["type"], item["state"], item["next_try_at"]) == ("job.done", "done", None)
    assert item["url"] == "https://n8n.example/webhook-waiting/8?..."
    at = "2026-03-04T05:06:07.000+00:00"
    assert item["tries"] == [
        {"at": at, "status": None, "message": "No connection.", "took_ms": 23},
        {"at": at, "status": 200, "message": "Taken.", "took_ms": 23},
    ]


def test_once_more(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.jobs.cancel(job_id)
    put(house, job_id)
    carry(house, (State.FAILED, 401, "Answered 401."))
    rings = len(house.rung)
    answer = house.client.post(f"/v1/jobs/{job_id}/callbacks/redeliver")
    assert (answer.status_code, answer.json()) == (202, {"job_id": job_id, "callbacks": 1})
    carry(house, (State.DONE, 200, "Taken."))
    assert house.rung[rings:] == [job_id]


def test_once_more_but_not_all_the_time(house: House) -> None:
    job_id, other = house.submit()["job_id"], house.submit()["job_id"]
    again = f"/v1/jobs/{job_id}/callbacks/redeliver"
    house.jobs.cancel(job_id)
    house.jobs.cancel(other)
    assert house.client.post(again).status_code == 409, "which counts for nothing"
    put(house, job_id)
    put(house, other)
    assert house.client.post(again).status_code == 202
    refused = house.client.post(again)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert "once a minute" in refused.json()["message"]
    assert house.client.post(f"/v1/jobs/{other}/callbacks/redeliver").status_code == 202
    assert house.stranger.post(again).status_code == 404


def test_what_is_not_true_any_more_is_shown_and_not_sent(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.jobs.fail(house.claim(job_id), Failure("x", "It failed.", permanent=False))
    put(house, job_id)
    assert house.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    (item,) = house.client.get(f"/v1/jobs/{job_id}/callbacks").json()["items"]
    assert (item["state"], item["next_try_at"]) == ("superseded", None)
    Callbacks.model_validate({"items": [item], "next": None})  # raises where the documentation has no such state
    assert house.client.post(f"/v1/jobs/{job_id}/callbacks/redeliver").status_code == 409


def test_nobody_to_tell(house: House) -> None:
    job_id = house.submit()["job_id"]
    put(house, job_id, "operator")  # whose URL is nobody else's business
    answer = house.client.post(f"/v1/jobs/{job_id}/callbacks/redeliver")
    assert answer.status_code == 409
    assert "callback_url" in answer.json()["message"]
    assert house.client.get(f"/v1/jobs/{job_id}/callbacks").json()["items"] == []


@pytest.mark.parametrize("path", ["callbacks", "callbacks/redeliver"])
def test_strangers_find_nothing(house: House, path: str) -> None:
    job_id = house.submit()["job_id"]
    put(house, job_id)
    method = "POST" if path.endswith("redeliver") else "GET"
    for known in (job_id, "job_" + "0" * 20, "job_x"):
        answer = house.stranger.request(method, f"/v1/jobs/{known}/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:vix:error:unknown_job")
    assert house.nobody.request(method, f"/v1/jobs/{job_id}/{path}").status_code == 401


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://0x7f.1/x", "http://169.254.169.254/", "http://a:22/x"]
)
def test_a_private_callback_is_refused_with_the_setting(house: House, url: str) -> None:
    answer = house.client.post("/v1/generate", json={"callback_url": url})
    if url == "http://a:22/x":  # what the name means is found out later
        assert answer.status_code == 202
        return
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "callback_url"
    assert "VIX_PRIVATE_HOSTS" in error["message"]
