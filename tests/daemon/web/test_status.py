"""How a job is doing: the members of the answer, and waiting for the end."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from datetime import datetime

import pytest

from daemon.jobs import Failure
from daemon.web.held import MOST
from tests.daemon.web.house import House
from tests.daemon.workers import eventually

MEMBERS = [
    "job_id",
    "status",
    "progress",
    "queue_position",
    "estimated_time_remaining_s",
    "stage",
    "error",
    "result",
    "warnings",
    "deliveries",
    "client_data",
    "created_at",
    "started_at",
    "finished_at",
    "status_url",
    "download_url",
]


def test_a_waiting_job(house: House) -> None:
    submitted = house.submit({"client_data": {"row": 7, "odd": "\ud800 é"}})
    answer = house.client.get(submitted["status_url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    status = answer.json()
    assert list(status) == MEMBERS == list(submitted)
    assert status["status"] == "in_queue"
    assert status["progress"] == 0
    assert status["queue_position"] == 1
    assert status["estimated_time_remaining_s"] > 0
    assert status["client_data"] == {"row": 7, "odd": "\ud800 é"}
    assert status["error"] is status["result"] is status["started_at"] is status["finished_at"] is None
    assert datetime.fromisoformat(status["created_at"]).utcoffset() is not None


def test_a_job_behind_another(house: House) -> None:
    first, second = house.submit(), house.submit()
    assert (first["queue_position"], second["queue_position"]) == (1, 2)
    assert second["estimated_time_remaining_s"] > first["estimated_time_remaining_s"]


def test_a_rendering_job(house: House) -> None:
    job_id = house.submit()["job_id"]
    claim = house.claim(job_id)
    assert house.jobs.report(claim, stage="render", progress=40)
    status = house.status(job_id)
    assert (status["status"], status["stage"], status["progress"]) == ("rendering", "render", 40)
    assert status["queue_position"] is None
    assert status["started_at"] is not None


def test_a_finished_job(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, film=b"film", warnings=("a font was replaced",))
    status = house.status(job_id)
    assert (status["status"], status["progress"]) == ("done", 100)
    assert not status["estimated_time_remaining_s"]
    assert status["warnings"] == ["a font was replaced"]
    assert status["result"]["bytes"] == 4
    assert status["result"]["download_url"] == status["download_url"] == f"{house.url}/v1/download/{job_id}.mp4"
    assert status["result"]["thumbnail_url"] == f"{house.url}/v1/download/{job_id}.jpg"
    assert house.client.get(status["result"]["download_url"]).content == b"film"


def test_a_result_with_a_number_that_json_does_not_have(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, film=b"silent film", loudness_lufs=float("-inf"))
    assert house.status(job_id)["result"]["loudness_lufs"] is None


def test_a_failed_job(house: House) -> None:
    job_id = house.submit()["job_id"]
    assert house.jobs.fail(house.claim(job_id), Failure("bad_media", "clip.mp4 cannot be read", permanent=True))
    status = house.status(job_id)
    assert status["status"] == "failed"
    assert status["error"] == {"code": "bad_media", "message": "clip.mp4 cannot be read", "permanent": True}
    assert status["result"] is None
    answer = house.client.get(status["download_url"])
    assert (answer.status_code, answer.json()["job_status"]) == (409, "failed")


def test_urls_follow_the_address_that_was_asked(shared: House) -> None:
    job_id = shared.submit()["job_id"]
    answer = shared.client.get(f"/v1/status/{job_id}", headers={"Host": "films.example.org:8080"})
    assert answer.json()["status_url"] == f"http://films.example.org:8080/v1/status/{job_id}"
    answer = shared.client.get(f"/v1/status/{job_id}", headers={"Host": "evil.example/?"})
    assert answer.json()["status_url"] == f"{shared.url}/v1/status/{job_id}"


def test_waiting_ends_with_the_job(house: House) -> None:
    job_id = house.submit()["job_id"]
    started = threading.Event()

    def work() -> None:
        started.wait(10)
        house.finish(job_id, film=b"film")

    worker = threading.Thread(target=work)
    worker.start()
    started.set()
    answer = house.client.get(f"/v1/status/{job_id}?wait=60")
    worker.join()
    assert answer.json()["status"] == "done"


def test_waiting_ends_with_the_seconds(shared: House) -> None:
    job_id = shared.submit()["job_id"]
    answer = shared.client.get(f"/v1/status/{job_id}?wait=0.4")
    assert (answer.status_code, answer.json()["status"]) == (200, "in_queue")
    assert answer.elapsed.total_seconds() >= 0.4


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "inf", "1e999", "true", "0x10", "\x00", "1" * 5000])
def test_a_wait_that_is_none_is_a_422(shared: House, wait: str) -> None:
    job_id = shared.submit()["job_id"]
    answer = shared.client.get(f"/v1/status/{job_id}", params={"wait": wait})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "wait"
    assert wait not in answer.json()["message"]


def test_many_who_wait_hold_nobody_up(house: House) -> None:
    job_ids, keys = [], [house.keys.create(f"{number}")[1] for number in range(5)]
    for key in keys:
        job_ids.append(house.client.post("/v1/generate", headers={"X-Api-Key": key}, json={}).json()["job_id"])
    address = house.url.removeprefix("http://").split(":")
    sockets = [socket.create_connection((address[0], int(address[1]))) for _ in range(100)]
    try:
        for number, waiting in enumerate(sockets):
            path, key = f"/v1/status/{job_ids[number // 20]}?wait=60", keys[number // 20]
            waiting.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\r\n".encode())
        assert house.submit()["status"] == "in_queue"
        assert house.client.get("/health").status_code in {200, 503}
        while len(house.server.server_state.tasks) < 100:
            time.sleep(0.01)
        for waiting in sockets[10:]:
            waiting.close()
        given_up_at = time.monotonic() + 30  # well before the minute that those who left had asked for
        while len(house.server.server_state.tasks) > 10:
            assert time.monotonic() < given_up_at
            time.sleep(0.01)
        house.finish(job_ids[0], film=b"film")
        for waiting in sockets[:10]:
            waiting.settimeout(30)
            assert waiting.recv(65536).startswith(b"HTTP/1.1 200")
    finally:
        for waiting in sockets:
            waiting.close()


def test_one_key_has_only_so_many_answers_held(house: House) -> None:
    job_id = house.submit()["job_id"]
    address = house.url.removeprefix("http://").split(":")
    head = f"GET /v1/status/{job_id}?wait=60 HTTP/1.1\r\nHost: x\r\nX-Api-Key: {house.key}\r\n\r\n"
    with ExitStack() as stack:

        def hold_one() -> None:
            waiting = stack.enter_context(socket.create_connection((address[0], int(address[1]))))
            waiting.sendall(head.encode())

        def is_full() -> bool:
            # The question takes a place itself where there is one, and whoever comes meanwhile finds none.
            full = is_at_once(house, job_id)
            if not full:
                hold_one()
            return full

        for _ in range(MOST):
            hold_one()
        eventually(is_full, "all places are taken")
        answer = house.client.get(f"/v1/status/{job_id}?wait=60", timeout=30)
        assert (answer.status_code, answer.json()["status"]) == (200, "in_queue")
    eventually(lambda: not is_at_once(house, job_id), "a place that was given up is free again")


def is_at_once(house: House, job_id: str) -> bool:
    """Whether an answer that was asked to be held was not."""
    return house.client.get(f"/v1/status/{job_id}?wait=0.5").elapsed.total_seconds() < 0.5


def test_somebody_elses_job_is_a_404_as_if_there_were_none(shared: House) -> None:
    job_id, unknown = shared.submit()["job_id"], "job_00000000000000000000"
    answers = [shared.stranger.get(f"/v1/status/{name}") for name in (job_id, unknown)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(job_id, unknown) == answers[1].text
    headers = [{**answer.headers, "date": ""} for answer in answers]
    assert headers[0] == headers[1]


@pytest.mark.parametrize(
    "name", ["job_1", "1", "%00", "..%2f..", "job_0000000000000000000'", "%ff%fe", "😀", "a" * 5000]
)
def test_ids_that_are_none(shared: House, name: str) -> None:
    assert shared.client.get(f"/v1/status/{name}").status_code == 404
