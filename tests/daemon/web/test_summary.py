"""One flat object for sensors: small, and about the caller's own films."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.daemon.web.house import House
from tests.daemon.web.test_openapi import hold


def ask(house: House) -> dict[str, Any]:
    answer = house.client.get("/v1/summary")
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < 1000
    said = dict(answer.json())
    hold("GET", "/v1/summary", 200, said)
    assert not any(isinstance(value, dict | list) for value in said.values())
    return said


def test_an_empty_house(house: House) -> None:
    said = ask(house)
    assert (said["status"], said["message"]) == ("failing", "the worker has not found one yet")
    house.heartbeat()
    assert ask(house) == {
        "status": "ok",
        "message": "",
        "version": "1.2.3",
        "queued": 0,
        "rendering": 0,
        "delivering": 0,
        "last_job_id": None,
        "last_finished_at": None,
        "last_download_url": None,
        "token_days_left": None,
        "next_run_at": None,
    }


def test_films_tokens_and_schedules(house: House) -> None:
    done = house.submit()["job_id"]
    house.finish(done, b"film")
    theirs = house.stranger.post("/v1/generate", json={"priority": 5}).json()["job_id"]
    house.finish(theirs, b"film")
    house.published()
    house.submit()
    now = house.services.now()
    house.account("Shop", now + timedelta(days=5, hours=2))
    house.account("Club", now + timedelta(days=50))
    house.schedule(timezone="Europe/Berlin", at=["09:00", "21:00"])
    house.schedule(enabled=False, every="1 hours", at=None)
    assert house.stranger.post("/v1/schedules", json={"name": "a", "every": "1 hours", "spec": {}}).status_code == 201
    house.heartbeat(job=done)
    said = ask(house)
    assert (said["queued"], said["rendering"], said["delivering"], said["token_days_left"]) == (1, 1, 1, 5.0)
    assert (said["last_job_id"], said["last_finished_at"]) == (done, house.status(done)["finished_at"])
    assert house.client.get(said["last_download_url"]).content == b"film"
    shown = [one["next_run"] for one in house.client.get("/v1/schedules").json()["items"] if one["next_run"]]
    assert datetime.fromisoformat(said["next_run_at"]) == min(map(datetime.fromisoformat, shown))
    assert (said["status"], said["message"][:26]) == ("degraded", "a token ends in 5 days; co")


def test_it_stays_small_whatever_it_tells(house: House) -> None:
    now = house.services.now()
    for number in range(30):
        house.account(f"Page {number} \N{CLAPPER BOARD}" * 20, now + timedelta(days=1))
    house.submit({"client_data": {"a": "\N{CLAPPER BOARD}" * 200}})
    assert len(json.dumps(ask(house))) < 1000


def test_it_takes_the_right_to_read(house: House) -> None:
    (key, *_) = house.keys.list()
    house.keys.change(key.id, lambda one: replace(one, scopes=frozenset({"submit"})))
    assert house.client.get("/v1/summary").status_code == 403
    assert house.client.get("/v1/summary?x=1").status_code == 403
