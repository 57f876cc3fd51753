"""Whether films can be made now, for anybody who asks."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from daemon.store.callbacks import Outcome, State, Try
from tests.daemon.web.house import House
from tests.daemon.web.test_callbacks import put

CHECKS = ["database", "disk", "ffmpeg", "worker", "fonts", "tokens"]


def test_with_a_living_worker_all_is_well(house: House) -> None:
    house.heartbeat()
    answer = house.nobody.get("/health")
    assert answer.status_code == 200
    said = answer.json()
    assert list(said) == ["status", "version", "commit", "checks", "queue", "warnings", "workers"]
    assert (said["status"], said["version"], said["commit"]) == ("ok", "1.2.3", "abc1234")
    assert list(said["checks"]) == CHECKS
    assert all(check["ok"] for check in said["checks"].values())
    assert (said["warnings"], said["checks"]["tokens"]["message"]) == ([], "no account is connected")
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


def test_tokens_that_end_are_told_and_fail_nothing(house: House) -> None:
    house.heartbeat()
    now = house.services.now()

    def told() -> tuple[str, str, list[str]]:
        answer = house.nobody.get("/health")
        assert answer.status_code == 200
        assert not re.search("Shop|Club|acc_", answer.text)
        said = answer.json()
        assert all(check["ok"] for check in said["checks"].values())
        return said["status"], said["checks"]["tokens"]["message"], said["warnings"]

    house.account("Club")
    assert told() == ("ok", "1 account, none of which ends", [])
    house.account("Shop", now + timedelta(days=20, hours=2))
    assert told() == ("ok", "2 accounts, the first ends in 20 days", [])
    shop = house.account("Shop", now + timedelta(days=12, hours=8))
    status, message, (warning,) = told()
    assert (status, message) == ("degraded", "2 accounts, the first ends in 12.3 days")
    assert "a token ends in 12.3 days" in warning
    assert house.services.accounts.died(shop, "It was revoked.", None)
    status, message, (warning,) = told()
    assert (status, message) == ("degraded", "2 accounts, 1 of which cannot be used")
    assert "1 account cannot be published on" in warning
    house.services.accounts.remove(shop.id)
    assert told() == ("ok", "1 account, none of which ends", [])


def test_a_delivery_that_nobody_can_tell_of_is_a_warning(house: House) -> None:
    found = house.unknown(house.published())
    answer = house.nobody.get("/health")
    assert "1 delivery is unknown" in answer.json()["warnings"][0]
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")  # as there is no worker
    house.heartbeat()
    answer = house.nobody.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert not re.search("job_|dlv_|My Page", answer.text)
    house.client.post(f"/v1/deliveries/{found.id}/resolve", json={"outcome": "published"})
    assert house.nobody.get("/health").json()["status"] == "ok"


def test_the_front_page_points_to_health(shared: House) -> None:
    answer = shared.nobody.get("/")
    assert answer.status_code == 200
    assert shared.nobody.get(answer.json()["health_url"]).json()["version"] == "1.2.3"
