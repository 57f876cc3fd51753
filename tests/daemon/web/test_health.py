"""Whether films can be made now, for anybody who asks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from daemon.store.callbacks import Outcome, State, Try
from tests.daemon.web.house import House
from tests.daemon.web.test_callbacks import put

CHECKS = ["database", "disk", "ffmpeg", "worker", "fonts"]


def test_with_a_living_worker_all_is_well(house: House) -> None:
    house.heartbeat()
    answer = house.nobody.get("/health")
    assert answer.status_code == 200
    said = answer.json()
    assert list(said) == ["status", "version", "commit", "checks", "queue", "workers"]
    assert (said["status"], said["version"], said["commit"]) == ("ok", "1.2.3", "abc1234")
    assert list(said["checks"]) == CHECKS
    assert all(check["ok"] for check in said["checks"].values())
    assert "9.0" in said["checks"]["ffmpeg"]["message"]
    assert said["queue"] == {"queued": 0, "rendering": 0}
    assert said["workers"] == {"active": 1, "max_concurrent_jobs": 1, "commits": ["abc1234"]}
    assert str(house.data) not in answer.text
    assert house.nobody.head("/health").status_code == 200


def test_queue_and_work_are_counted(house: House) -> None:
    house.submit(), house.submit()
    job_id = house.submit()["job_id"]
    assert house.nobody.get("/health").json()["queue"]["queued"] == 3
    house.heartbeat(job=job_id)
    answer = house.nobody.get("/health")
    assert answer.json()["queue"]["rendering"] == 1
    assert job_id not in answer.text


def test_without_a_worker_the_answer_is_503_and_says_so(house: House) -> None:
    answer = house.nobody.get("/health")
    assert answer.status_code == 503
    said = answer.json()
    assert said["status"] == "failing"
    assert [name for name, check in said["checks"].items() if not check["ok"]] == ["ffmpeg", "worker"]
    assert "./vix worker" in said["checks"]["worker"]["message"]


def test_a_silent_worker_is_reported(house: House) -> None:
    house.heartbeat()
    with closing(sqlite3.connect(house.data / "vix.db")) as connection, connection:
        connection.execute("update worker set seen_us = seen_us - 600000000")
    said = house.nobody.get("/health").json()
    assert not said["checks"]["worker"]["ok"]
    assert "silent" in said["checks"]["worker"]["message"]
    assert said["workers"]["active"] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps({"ffmpeg": None}), "\x00"])
def test_a_damaged_heartbeat_is_no_crash(house: House, text: str) -> None:
    (house.data / "worker.json").write_text(text)
    assert house.nobody.get("/health").status_code == 503


def test_a_worker_heard_of_in_the_future_is_not_taken_for_alive(house: House) -> None:
    """It died while the clock was ahead."""
    house.heartbeat()
    with closing(sqlite3.connect(house.data / "vix.db")) as connection, connection:
        connection.execute("update worker set seen_us = seen_us + 3600000000")
    said = house.nobody.get("/health").json()
    assert not said["checks"]["worker"]["ok"]
    assert said["workers"]["active"] == 0


def test_callbacks_that_nobody_carries_are_reported(house: House) -> None:
    house.heartbeat()
    job_id = house.submit()["job_id"]
    now = datetime.now(UTC)
    put(house, job_id)  # due for long, but who is to carry it has only begun
    assert house.nobody.get("/health").status_code == 200
    with closing(sqlite3.connect(house.data / "vix.db")) as connection, connection:
        connection.execute("update worker set started_us = started_us - 600000000")
    said = house.nobody.get("/health").json()
    assert not said["checks"]["worker"]["ok"]
    assert "callbacks are not carried" in said["checks"]["worker"]["message"]
    callback = house.services.callbacks.claim_due("seat.1", 60)
    assert callback
    house.services.callbacks.record(callback, "seat.1", Outcome(Try(now, 503, "Answered 503.", 1), State.READY))
    assert house.nobody.get("/health").status_code == 200


def test_the_front_page_points_to_health(shared: House) -> None:
    answer = shared.nobody.get("/")
    assert answer.status_code == 200
    assert shared.nobody.get(answer.json()["health_url"]).json()["version"] == "1.2.3"
