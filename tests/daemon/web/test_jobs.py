"""The list of jobs, cancelling, and trying again."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from daemon.jobs import Failure
from daemon.store.keys import OwnLimits
from tests.daemon.web.house import House, open_house
from tests.daemon.workers import eventually


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["job_id"] for item in answer.json()["items"]]


def fail(house: House, job_id: str) -> None:
    assert house.jobs.fail(house.claim(job_id), Failure("render_failed", "It broke.", permanent=False))


def test_the_newest_come_first_and_look_as_their_status_does(house: House) -> None:
    jobs = [house.submit({"client_data": number})["job_id"] for number in range(3)]
    house.finish(jobs[0], b"film", style="waves")
    answer = house.client.get("/v1/jobs")
    assert ids(answer) == jobs[::-1]
    assert answer.json()["next"] is None
    done, status = answer.json()["items"][2], house.status(jobs[0])
    for said in (done, status):  # signed links are new in each answer
        assert {said["result"].pop(f"signed_{name}") for name in ("download_url", "thumbnail_url", "until")}
    assert done == status
    assert answer.json()["items"][0]["queue_position"] is None


def test_pages_lead_to_each_other_and_miss_nothing_while_jobs_arrive(house: House) -> None:
    jobs = [house.submit()["job_id"] for _ in range(5)]
    first = house.client.get("/v1/jobs?limit=2&kind=template")
    house.submit()
    second = house.client.get(first.json()["next"])
    third = house.client.get(second.json()["next"])
    assert first.json()["next"].startswith(f"{house.url}/v1/jobs?limit=2&kind=template&cursor=")
    assert [ids(first), ids(second), ids(third)] == [jobs[4:2:-1], jobs[2:0:-1], jobs[:1]]
    assert third.json()["next"] is None


def test_the_list_can_be_narrowed(house: House) -> None:
    done, failed, waits = (house.submit()["job_id"] for _ in range(3))
    house.finish(done, b"film")
    fail(house, failed)
    assert ids(house.client.get("/v1/jobs?status=done")) == [done]
    assert ids(house.client.get("/v1/jobs?status=failed,in_queue")) == [waits, failed]
    assert ids(house.client.get("/v1/jobs?status=failed,in_queue,failed&limit=1")) == [waits]
    assert ids(house.client.get("/v1/jobs?status=cancelled")) == []


def test_other_peoples_jobs_are_not_listed(house: House) -> None:
    house.submit()
    assert ids(house.stranger.get("/v1/jobs")) == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=1.5", ["limit"]),
        ("limit=%D9%A1", ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("limit=", ["limit"]),
        ("status=doing", ["status"]),
        ("status=done,", ["status"]),
        ("kind=narration", ["kind"]),
        ("cursor=x", ["cursor"]),
        ("cursor=AAAAAAAAAAB", ["cursor"]),
        ("cursor=__________8", ["cursor"]),
        ("cursor=%C3%A9AAAAAAAAAA", ["cursor"]),
        ("cursor=AAAA AAAAAA8", ["cursor"]),
        ("page=2", ["page"]),
        ("limit=x&status=y&sort=z", ["limit", "status", "sort"]),
    ],
)
def test_parameters_that_are_wrong_are_named(shared: House, query: str, fields: list[str]) -> None:
    answer = shared.client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields


def test_more_parameters_than_any_path_has_are_refused_as_one(shared: House) -> None:
    for names in ([f"a{number}" for number in range(3000)], ["limit"] * 3000):
        answer = shared.client.get("/v1/jobs?" + "&".join(f"{name}=1" for name in names))
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["field"], error["message"]) == (
            "(query)",
            "has more than 20 parameters; no path here has as many",
        )


def test_a_misspelt_parameter_gets_a_hint(shared: House) -> None:
    assert 'Did you mean "status"?' in shared.client.get("/v1/jobs?state=done").json()["message"]


def test_a_waiting_job_is_cancelled(house: House) -> None:
    job_id, other = house.submit()["job_id"], house.submit()["job_id"]
    answer = house.client.post(f"/v1/jobs/{job_id}/cancel")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["job_id"]) == ("cancelled", job_id)
    assert answer.json()["finished_at"] is not None
    assert house.client.post(f"/v1/jobs/{job_id}/cancel").json() == answer.json(), "once more is no error"
    house.claim(other)


def test_a_job_that_is_being_made_is_cancelled(house: House) -> None:
    job_id = house.submit()["job_id"]
    claim = house.claim(job_id)
    assert house.client.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    assert not house.jobs.holds(claim)
    assert not house.jobs.finish(claim, {}, film="x")
    assert house.status(job_id)["result"] is None


def test_an_ended_job_is_not_cancelled(house: House) -> None:
    done, failed = house.submit()["job_id"], house.submit()["job_id"]
    house.finish(done, b"film")
    fail(house, failed)
    for job_id, status in ((done, "done"), (failed, "failed")):
        answer = house.client.post(f"/v1/jobs/{job_id}/cancel")
        assert (answer.status_code, answer.json()["job_status"]) == (409, status)
        assert "cancelled" in answer.json()["message"]
        assert house.status(job_id)["status"] == status


def test_a_failed_job_is_tried_again(house: House) -> None:
    job_id = house.submit()["job_id"]
    fail(house, job_id)
    house.rung.clear()
    answer = house.client.post(f"/v1/jobs/{job_id}/retry")
    assert answer.status_code == 202
    said = answer.json()
    assert (said["status"], said["error"], said["queue_position"]) == ("in_queue", None, 1)
    assert answer.headers["location"] == said["status_url"]
    eventually(lambda: house.rung == [job_id], "the worker is woken")
    house.finish(job_id, b"film")
    assert house.status(job_id)["status"] == "done"


def test_trying_again_counts_as_a_job_does(house: House) -> None:
    name, limits = house.key.split("_")[1], OwnLimits(per_minute=2)
    house.keys.change(name, lambda key: replace(key, own_limits=limits))
    job_id = house.submit()["job_id"]
    fail(house, job_id)
    again = house.client.post(f"/v1/jobs/{job_id}/retry")
    assert again.status_code == 202
    assert again.headers["ratelimit"].startswith('"minute";r=0;')
    fail(house, job_id)
    refused = house.client.post(f"/v1/jobs/{job_id}/retry")
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert house.status(job_id)["status"] == "failed"


@pytest.mark.parametrize("status", ["in_queue", "rendering", "done", "cancelled"])
def test_other_jobs_are_not_tried_again(house: House, status: str) -> None:
    job_id = house.submit()["job_id"]
    if status == "rendering":
        house.claim(job_id)
    if status == "done":
        house.finish(job_id, b"film")
    if status == "cancelled":
        house.client.post(f"/v1/jobs/{job_id}/cancel")
    answer = house.client.post(f"/v1/jobs/{job_id}/retry")
    assert (answer.status_code, answer.json()["job_status"]) == (409, status)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_other_peoples_jobs_are_not_there(house: House, action: str) -> None:
    job_id = house.submit()["job_id"]
    answers = [
        house.stranger.post(f"/v1/jobs/{job_id}/{action}"),
        house.client.post(f"/v1/jobs/job_{'a' * 20}/{action}"),
        house.client.post(f"/v1/jobs/x/{action}"),
    ]
    bodies: list[dict[str, Any]] = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({body.pop("instance") for body in bodies}) == 3
    assert bodies[0] == bodies[1] == bodies[2]
    assert house.status(job_id)["status"] == "in_queue"


def test_cancelling_and_finishing_at_once_leave_one_truth(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        for _ in range(10):
            job_id = house.submit()["job_id"]
            claim = house.claim(job_id)
            start = threading.Barrier(2)
            finished: list[bool] = []

            def finish(claim: Any = claim, start: Any = start, finished: list[bool] = finished) -> None:
                start.wait(30)
                finished.append(house.jobs.finish(claim, {}, film="x"))

            thread = threading.Thread(target=finish)
            thread.start()
            start.wait(30)
            answer = house.client.post(f"/v1/jobs/{job_id}/cancel")
            thread.join(30)
            assert (answer.status_code, house.status(job_id)["status"]) == (
                (409, "done") if finished == [True] else (200, "cancelled")
            )
