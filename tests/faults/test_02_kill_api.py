"""Row 2: the API is killed between the commit and its 202. The client asks again with its Idempotency-Key and gets the
job that it has already made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from daemon.store.database import open_database
from daemon.store.keys import KeyStore
from tests.daemon.web.house import PEPPER
from tests.faults.processes import api, dies

BODY = {"video": {"duration": 1}}


@pytest.fixture
def headers(tmp_path: Path) -> dict[str, str]:
    database = open_database(tmp_path / "vix.db")
    _, secret = KeyStore(database, PEPPER).create("test")
    database.close()
    return {"X-Api-Key": secret, "Idempotency-Key": "the-same-word"}


def ask(url: str, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/generate", json=BODY, headers=headers, timeout=60, trust_env=False)


def count(data: Path) -> int:
    with closing(sqlite3.connect(data / "vix.db")) as connection:
        return int(connection.execute("select count(*) from job").fetchone()[0])


@pytest.mark.parametrize(("point", "stored"), [("submit_before_commit", 0), ("submit_committed", 1), ("ring_done", 1)])
def test_asking_again_makes_one_job(tmp_path: Path, headers: dict[str, str], point: str, stored: int) -> None:
    with api(tmp_path, point) as (process, url):
        if point == "ring_done":  # the answer is on its way before the bell is rung
            assert ask(url, headers).status_code == 202
        else:
            with pytest.raises(httpx2.TransportError):
                ask(url, headers)
        dies(process)
    assert count(tmp_path) == stored
    with api(tmp_path) as (_, url):
        answers = [ask(url, headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["job_id"] == answers[1].json()["job_id"]
        assert ask(url, {**headers, "Idempotency-Key": "another"}).json()["job_id"] != answers[0].json()["job_id"]
    assert count(tmp_path) == 2
