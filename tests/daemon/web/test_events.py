"""What happened to a job: as a list, and as a stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from starlette.requests import Request

from daemon.jobs import Failure
from daemon.web.call import Call
from daemon.web.events import Pace, stream
from daemon.web.held import MOST
from tests.daemon.web.house import House, opened

STREAM = {"Accept": "text/event-stream"}
QUICK = Pace(look_every_s=0.01, comment_every_s=0.05)


@dataclass(frozen=True)
class Sent:
    """One event as a browser would read it."""

    name: str
    id: str
    data: dict[str, Any]


def parsed(text: str) -> list[Sent]:
    """Read a stream as the HTML standard says; comments and `retry` are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append(Sent(fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


def listed(house: House, job_id: str, query: str = "") -> dict[str, Any]:
    answer = house.client.get(f"/v1/jobs/{job_id}/events{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def fail(house: House, job_id: str) -> None:
    assert house.jobs.fail(house.claim(job_id), Failure("render_failed", "It broke.", permanent=False))


def test_a_films_life_as_a_list(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, b"film")
    said = listed(house, job_id)
    assert [item["type"] for item in said["items"]] == ["job.queued", "job.started", "job.done"]
    assert sorted(said["items"][0]) == ["id", "level", "message", "payload", "timestamp", "type"]
    numbers = [item["id"] for item in said["items"]]
    assert numbers == sorted(set(numbers))
    assert said["next"] is None
    assert listed(house, job_id, f"?after={numbers[1]}")["items"] == said["items"][2:]
    assert listed(house, job_id, f"?after={numbers[2]}") == {"items": [], "next": None}


def test_the_list_comes_in_pages(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, b"film")
    first = listed(house, job_id, "?limit=2")
    assert first["next"] == f"{house.url}/v1/jobs/{job_id}/events?after={first['items'][1]['id']}&limit=2"
    rest = house.client.get(first["next"]).json()
    assert [item["type"] for item in first["items"] + rest["items"]] == ["job.queued", "job.started", "job.done"]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=501", "since=1"])
def test_parameters_that_are_wrong(shared: House, query: str) -> None:
    job_id = shared.submit()["job_id"]
    answer = shared.client.get(f"/v1/jobs/{job_id}/events?{query}")
    assert [error["field"] for error in answer.json()["errors"]] == [query.split("=")[0]]


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_other_peoples_jobs_have_no_events(shared: House, headers: dict[str, str]) -> None:
    path = f"/v1/jobs/{shared.submit()['job_id']}/events"
    assert shared.stranger.get(path, headers=headers).status_code == 404
    assert shared.client.get("/v1/jobs/job_x/events", headers=headers).status_code == 404


def test_a_stream_tells_events_as_they_happen_and_ends_with_the_job(house: House) -> None:
    job_id = house.submit()["job_id"]
    with house.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        pieces = answer.iter_text()
        text = next(pieces)
        while "job.queued" not in text:
            text += next(pieces)
        claim = house.claim(job_id)
        house.jobs.report(claim, stage="render", progress=40)
        while '"progress":40' not in text:
            text += next(pieces)
        house.jobs.finish(claim, {"bytes": 1}, film="x")
        text += "".join(pieces)
    sent = parsed(text)
    kept = [one for one in sent if one.id]
    assert [one.data for one in kept] == listed(house, job_id)["items"]
    assert kept[-1].name == "job.done" == sent[-1].name
    progress = [one for one in sent if not one.id]
    assert {one.name for one in progress} == {"job.progress"}
    assert progress[-1].data == {"status": "rendering", "stage": "render", "progress": 40}
    assert text.startswith("retry: ")


def test_a_client_that_lost_its_connection_goes_on_where_it_was(house: House) -> None:
    job_id = house.submit()["job_id"]
    fail(house, job_id)
    house.client.post(f"/v1/jobs/{job_id}/retry")
    house.finish(job_id, b"film")
    path = f"/v1/jobs/{job_id}/events"
    whole = parsed(house.client.get(path, headers=STREAM).text)
    assert [one.name for one in whole][-1] == "job.done"
    assert "job.failed" in [one.name for one in whole], "an end that was none does not end the stream"
    middle = whole[2]
    rest = house.client.get(path, headers=STREAM | {"Last-Event-ID": middle.id})
    assert parsed(rest.text) == whole[3:]
    assert parsed(house.client.get(f"{path}?after={middle.id}", headers=STREAM).text) == whole[3:]
    for odd in ("x", "-1", "9" * 40, "\u0661".encode().decode("latin-1"), ""):
        headers = httpx2.Headers([(b"accept", b"text/event-stream"), (b"last-event-id", odd.encode("latin-1"))])
        assert parsed(house.client.get(path, headers=headers).text) == whole


def test_a_stream_with_nothing_more_to_tell_ends_the_reconnecting(house: House) -> None:
    job_id = house.submit()["job_id"]
    house.finish(job_id, b"film")
    path = f"/v1/jobs/{job_id}/events"
    last = parsed(house.client.get(path, headers=STREAM).text)[-1].id
    answer = house.client.get(path, headers=STREAM | {"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


def test_many_streams_hold_nothing_up_and_end_when_the_server_stops(house: House) -> None:
    """Many more than there are threads for what blocks."""
    texts: list[str] = []

    def listen(url: str, key: str, job_id: str, heard: threading.Semaphore) -> None:
        with (
            httpx2.Client(timeout=60) as client,
            client.stream("GET", f"{url}/v1/jobs/{job_id}/events", headers=STREAM | {"X-Api-Key": key}) as answer,
        ):
            text = ""
            for piece in answer.iter_text():
                text += piece
                if "job.queued" in piece:
                    heard.release()
            texts.append(text)

    heard = threading.Semaphore(0)
    with opened(house.services, []) as second:
        jobs = []
        for number in range(2):
            _, key = second.keys.create(f"listener {number}")
            submitted = httpx2.post(f"{second.url}/v1/generate", headers={"X-Api-Key": key}, json={}).json()
            jobs.append((key, submitted["job_id"]))
        threads = [
            threading.Thread(target=listen, args=(second.url, *jobs[number % 2], heard), daemon=True)
            for number in range(30)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert heard.acquire(timeout=60)
        assert second.client.get("/v1/jobs").status_code == 200
    for thread in threads:
        thread.join(60)
    assert len(texts) == 30
    assert all([one.name for one in parsed(text)] == ["job.queued", "job.progress"] for text in texts)


def test_head_says_what_a_stream_would_be_and_ends(house: House) -> None:
    path = f"/v1/jobs/{house.submit()['job_id']}/events"
    head = house.client.head(path, headers=STREAM)
    with house.client.stream("GET", path, headers=STREAM) as get:
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert (head.status_code, head.content) == (200, b"")


def test_one_key_has_only_so_many_streams(house: House) -> None:
    job_id = house.submit()["job_id"]
    path = f"/v1/jobs/{job_id}/events"
    with ExitStack() as stack:
        for _ in range(MOST):
            answer = stack.enter_context(house.client.stream("GET", path, headers=STREAM))
            assert answer.status_code == 200
        refused = house.client.get(path, headers=STREAM)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:vix:error:too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert str(MOST) in refused.json()["message"]
        # Neither is a wait held, but answered.
        assert house.client.get(f"/v1/status/{job_id}?wait=60", timeout=30).json()["status"] == "in_queue"
        theirs = house.stranger.post("/v1/generate", json={}).json()["job_id"]
        with house.stranger.stream("GET", f"/v1/jobs/{theirs}/events", headers=STREAM) as other:
            assert other.status_code == 200
    until = time.monotonic() + 30
    while not opens(house, path):
        assert time.monotonic() < until


def opens(house: House, path: str) -> bool:
    with house.client.stream("GET", path, headers=STREAM) as answer:
        return answer.status_code == 200


def in_process(house: House, job_id: str, pace: Pace, pieces: int | None = None) -> list[str]:
    """Read a stream without a server, up to so many pieces."""

    async def never() -> Any:
        await anyio.sleep_forever()

    async def read() -> list[str]:
        request = Request({"type": "http", "method": "GET", "path": "/", "headers": []}, never)
        key_id = house.jobs.get(job_id).key_id
        call = Call(request, house.services, anyio.CapacityLimiter(2), threading.Event(), key_id=key_id)
        found: list[str] = []
        source: AsyncIterator[str] = stream(call, job_id, 0, pace)
        async for piece in source:
            found.append(piece)
            if len(found) == pieces:
                break
        return found

    return anyio.run(read)


def test_an_idle_stream_says_that_it_is_still_there(house: House) -> None:
    pieces = in_process(house, house.submit()["job_id"], QUICK, pieces=4)
    assert pieces[2:] == [": still there\n\n"] * 2


def test_a_stream_does_not_last_for_ever(house: House) -> None:
    pieces = in_process(house, house.submit()["job_id"], Pace(look_every_s=0.01, longest_s=0.1))
    assert [one.name for one in parsed("".join(pieces))] == ["job.queued", "job.progress"]
