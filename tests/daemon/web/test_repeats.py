"""`Idempotency-Key`: requests that come again, as n8n sends them again after every error."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from daemon.errors import DatabaseBusy
from daemon.store.database import Database, open_database
from daemon.store.jobs import JobStore
from tests.daemon.web.house import House, opened

SPEC = {"video": {"duration": 5, "style": "waves"}, "client_data": {"row": 1, "name": "é"}}


def ask(house: House, word: str, spec: Any = None, client: httpx2.Client | None = None) -> httpx2.Response:
    body = spec if isinstance(spec, str) else json.dumps(SPEC if spec is None else spec)
    return (client or house.client).post("/v1/generate", content=body, headers={"Idempotency-Key": word})


def test_the_same_request_is_the_same_job_and_the_first_answer(house: House) -> None:
    first = ask(house, "flow-1")
    house.submit()
    house.claim(first.json()["job_id"])
    again = ask(house, "flow-1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json(), "also where the job is being made by now"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"] == first.json()["status_url"]
    assert house.views.waiting() == 1


def test_order_and_spacing_of_the_body_do_not_count(house: House) -> None:
    first = ask(house, "a", '{"seed": 1, "video": {"duration": 5, "speed": 1}}')
    again = ask(house, "a", '{"video":{"speed":1,"duration":5},\n"seed":1}')
    assert again.json()["job_id"] == first.json()["job_id"]


def test_another_body_is_a_422_and_no_job(house: House) -> None:
    ask(house, "a")
    answer = ask(house, "a", {})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:vix:error:idempotency_mismatch"
    assert "use a new one" in answer.json()["message"]
    assert house.views.waiting() == 1


def test_a_refused_request_uses_no_key_up(house: House) -> None:
    assert ask(house, "a", {"video": {"style": "nowhere"}}).status_code == 422
    assert ask(house, "a").status_code == 202


def test_a_repeat_is_known_whatever_has_become_of_the_library(house: House) -> None:
    first = ask(house, "a")
    house.empty_library()
    again = ask(house, "a")
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert ask(house, "b").status_code == 422, "a new one is checked as ever"


def test_a_word_that_was_used_is_said_before_what_else_is_wrong(house: House) -> None:
    ask(house, "a")
    assert ask(house, "a", {"video": {"style": "nowhere"}}).json()["type"] == "urn:vix:error:idempotency_mismatch"


def test_keys_are_each_callers_own(house: House) -> None:
    mine, theirs = ask(house, "a"), ask(house, "a", client=house.stranger)
    assert mine.json()["job_id"] != theirs.json()["job_id"]
    assert "idempotent-replayed" not in theirs.headers


def test_a_dozen_at_once_are_one_job(house: House) -> None:
    answers: list[httpx2.Response] = []
    start = threading.Barrier(12)

    def send() -> None:
        with httpx2.Client(base_url=house.url, headers={"X-Api-Key": house.key}, timeout=60) as client:
            start.wait(30)
            answers.append(ask(house, "burst", client=client))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [202] * 12
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 11
    assert house.views.waiting() == 1


@pytest.mark.parametrize("word", ["", "two words", "é", "a" * 256, "\x7f", "a\tb"])
def test_words_that_are_none(shared: House, word: str) -> None:
    answer = shared.client.post("/v1/generate", json={}, headers={b"Idempotency-Key": word.encode("latin-1")})
    assert answer.status_code == 422, word
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


def test_two_words_are_none(shared: House) -> None:
    answer = shared.client.post("/v1/generate", json={}, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert answer.status_code == 422


@pytest.mark.parametrize("word", ["a", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "~!" * 127 + "x"])
def test_words_that_are_taken(house: House, word: str) -> None:
    first, again = ask(house, word), ask(house, word)
    assert first.json()["job_id"] == again.json()["job_id"]


class Forgetful(JobStore):
    """A store on a disk that is full once the job is on it."""

    def remember_answer(self, key_id: str, word: str, answer: dict[str, Any]) -> None:
        raise DatabaseBusy


def test_where_the_answer_was_not_kept_the_job_still_is_the_same(house: House) -> None:
    database: Database = open_database(house.data / "vix.db")
    with opened(replace(house.services, jobs=Forgetful(database)), []) as other:
        first = ask(other, "a")
        again = ask(other, "a")
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["job_id"] == again.json()["job_id"]
        assert again.headers["idempotent-replayed"] == "true"
