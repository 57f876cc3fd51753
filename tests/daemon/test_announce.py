"""What a job's end puts into the outbox."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from daemon.announce import announcer
from daemon.errors import LinkExpired
from daemon.jobs import CallbackTo, Failure, NewJob
from daemon.links import Signing
from daemon.signing import LinkSigner
from daemon.store.callbacks import Callback, CallbackStore
from daemon.store.database import Database
from daemon.store.jobs import JobStore

HOOK = "https://n8n.example/webhook-waiting/8?signature=ab%2Fcd"
OPERATORS = "http://operator.example/hook"
NEW = NewJob(
    kind="template",
    spec={},
    seed=7,
    key_id="key1",
    film_s=10.0,
    client_data={"row": 7, "text": "\ud800"},
    callback=CallbackTo(HOOK, {"Authorization": "Bearer x"}),
    base_url="https://films.example",
)


@pytest.fixture
def outbox(vix_database: Database, movable_clock: Any) -> CallbackStore:
    return CallbackStore(vix_database, movable_clock)


@pytest.fixture
def jobs(vix_database: Database, movable_clock: Any) -> JobStore:
    return JobStore(vix_database, movable_clock, announcer())


def due(outbox: CallbackStore) -> list[Callback]:
    return list(iter(lambda: outbox.claim_due("seat.1", 60), None))


def finish(jobs: JobStore, job_id: str) -> None:
    job = jobs.claim("seat.1")
    assert job is not None
    assert job.id == job_id
    assert jobs.finish(job.claim, {"duration_s": 10.0, "loudness_lufs": -math.inf}, film=job.stem)


def fail(jobs: JobStore, job_id: str) -> None:
    job = jobs.claim("seat.1")
    assert job is not None
    assert jobs.fail(job.claim, Failure("no_clips", "No clips.", permanent=True))


def cancel(jobs: JobStore, job_id: str) -> None:
    jobs.cancel(job_id, "key1")


@pytest.mark.parametrize(("end", "status"), [(finish, "done"), (fail, "failed"), (cancel, "cancelled")])
def test_every_end_is_told(
    jobs: JobStore,
    outbox: CallbackStore,
    movable_clock: Any,
    end: Callable[[JobStore, str], None],
    status: str,
) -> None:
    job_id = jobs.submit(NEW).job.id
    movable_clock.move(60)
    assert due(outbox) == []
    end(jobs, job_id)
    (callback,) = due(outbox)
    assert (callback.job_id, callback.key_id, callback.type) == (job_id, "key1", f"job.{status}")
    assert (callback.url, callback.headers) == (HOOK, {"Authorization": "Bearer x"})
    body = json.loads(callback.body, parse_constant=pytest.fail)
    assert (body["type"], body["timestamp"]) == (f"job.{status}", movable_clock().isoformat(timespec="milliseconds"))
    data = body["data"]
    assert (data["job_id"], data["status"], data["client_data"]) == (job_id, status, {"row": 7, "text": "\ud800"})
    assert data["status_url"] == f"https://films.example/v1/status/{job_id}"
    assert "signature" not in callback.body
    assert data["error"] == (
        {"code": "no_clips", "message": "No clips.", "permanent": True} if status == "failed" else None
    )
    if status == "done":
        assert data["result"]["download_url"] == f"https://films.example/v1/download/{job_id}.mp4"
        assert data["result"]["loudness_lufs"] is None


def test_nothing_is_told_before_the_answer_to_the_request(
    jobs: JobStore, outbox: CallbackStore, movable_clock: Any
) -> None:
    """n8n is told 409 when the callback comes before it has read the 202 and saved that it waits."""
    cancel(jobs, jobs.submit(NEW).job.id)
    movable_clock.move(0.99)
    assert due(outbox) == []
    movable_clock.move(0.01)
    assert len(due(outbox)) == 1


def test_put_back_and_progress_tell_nobody(jobs: JobStore, outbox: CallbackStore, movable_clock: Any) -> None:
    jobs.submit(NEW)
    job = jobs.claim("seat.1")
    assert job is not None
    jobs.report(job.claim, stage="render", progress=50)
    jobs.put_back(job.claim)
    movable_clock.move(60)
    assert due(outbox) == []


def test_a_job_that_killed_its_worker_too_often_is_told_of(
    jobs: JobStore, outbox: CallbackStore, movable_clock: Any
) -> None:
    jobs.submit(NEW)
    for _ in range(3):
        assert jobs.claim("seat.1") is not None
        jobs.release_seat("seat", 3)
    movable_clock.move(60)
    assert [callback.type for callback in due(outbox)] == ["job.failed"]


def test_without_a_url_nobody_is_told(jobs: JobStore, outbox: CallbackStore, movable_clock: Any) -> None:
    cancel(jobs, jobs.submit(replace(NEW, callback=None)).job.id)
    movable_clock.move(60)
    assert due(outbox) == []


def test_links_of_a_finished_film_need_no_key(
    vix_database: Database, outbox: CallbackStore, movable_clock: Any
) -> None:
    signer = LinkSigner(b"pepper" * 8)
    lasts = timedelta(hours=24)
    jobs = JobStore(vix_database, movable_clock, announcer(sign=lambda at: Signing(signer, at + lasts)))
    job_id = jobs.submit(NEW).job.id
    finish(jobs, job_id)
    end = movable_clock() + lasts
    movable_clock.move(60)
    result = json.loads(due(outbox)[0].body)["data"]["result"]
    for kind, suffix in (("download", "mp4"), ("thumbnail", "jpg")):
        link = urlsplit(result[f"signed_{kind}_url"])
        assert f"https://films.example{link.path}" == result[f"{kind}_url"]
        said = dict(parse_qsl(link.query))
        signer.check(f"{job_id}.{suffix}", said["expires"], said["signature"], end - timedelta(seconds=1))
        with pytest.raises(LinkExpired):
            signer.check(f"{job_id}.{suffix}", said["expires"], said["signature"], end)
    assert result["signed_until"] == end.replace(microsecond=0).isoformat(timespec="milliseconds")


@pytest.mark.parametrize("callback", [None, CallbackTo(HOOK)])
def test_the_operator_is_told_of_every_job(
    vix_database: Database, outbox: CallbackStore, movable_clock: Any, callback: CallbackTo | None
) -> None:
    jobs = JobStore(vix_database, movable_clock, announcer(OPERATORS))
    cancel(jobs, jobs.submit(replace(NEW, callback=callback)).job.id)
    movable_clock.move(60)
    told = {(one.key_id, one.url): one for one in due(outbox)}
    own = {("key1", HOOK)} if callback else set()
    assert set(told) == own | {("operator", OPERATORS)}
    assert told["operator", OPERATORS].headers == {}
    assert len({one.id for one in told.values()}) == len(told)
    assert len({one.body for one in told.values()}) == 1
