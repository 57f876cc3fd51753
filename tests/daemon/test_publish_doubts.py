"""Answers that are neither yes nor no: no order is given twice on the strength of one, and none is taken for done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.deliveries.life import State
from daemon.jobs import Status
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import LANDSCAPE, REEL, SETTLE_S, Outbox, outbox
from tests.fakes.facebook import Asked, Reply, Script

DAY_S = 86_400


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


def is_finish(asked: Asked) -> bool:
    return asked.params.get("upload_phase") == "finish"


def is_status(asked: Asked) -> bool:
    return asked.params.get("fields", "").startswith("status")


def once(reply: Reply, which: Callable[[Asked], bool]) -> Script:
    """Answer so, the first time."""
    left = [reply]
    return lambda asked: left.pop() if which(asked) and left else None


def taken_but_answered(box: Outbox, reply: Reply) -> Script:
    """Take the first order, and answer it so."""
    left = [reply]

    def script(asked: Asked) -> Reply | None:
        if not is_finish(asked) or not left:
            return None
        newest = list(box.far.videos.values())[-1]
        box.far._publish(newest, asked.params)
        return left.pop()

    return script


def until_quiet(box: Outbox, clock: MovableClock, hours: float = 4) -> None:
    for _ in range(int(hours * 3600 / (SETTLE_S + 1))):
        box.turns()
        clock.move(SETTLE_S + 1)


@pytest.mark.parametrize("result", [REEL, LANDSCAPE], ids=["reel", "video"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(408, "<html>Request Timeout</html>"),
        Reply(404, ""),
        Reply(429, "<html>slow down</html>"),
        Reply(302, {"moved": "elsewhere"}),
        Reply(500, {"error": {"message": "An unexpected error has occurred.", "code": 99}}),
        Reply(500, {"error": {"message": "An unexpected error has occurred."}}),
        Reply(400, {"error": "something"}),
        Reply(200, {"data": []}),
        Reply(200, {}),
        Reply(200, "true"),
        Reply(200, {"success": False}),
        Reply(400, {"error": {"code": 506, "message": "Duplicate status message"}}),
    ],
    ids=lambda reply: f"{reply.status}-{str(reply.body)[:30]}",
)
def test_what_says_neither_yes_nor_no_to_the_order_is_asked_about(
    box: Outbox, movable_clock: MovableClock, reply: Reply, result: dict[str, Any]
) -> None:
    job = box.post(result=result)
    box.far.script = taken_but_answered(box, reply)
    box.turns()
    assert box.states(job) == [State.SENDING]
    until_quiet(box, movable_clock, 1)
    assert [video.posts for video in box.far.posts] == [1]
    assert box.states(job) == [State.DONE]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "1"},
        {"status": "processing"},
        {"status": {}},
        {"status": {"video_status": "processing"}},
        {"status": {"publishing_phase": {"status": "scheduled_soon"}, "processing_phase": {"status": "not_started"}}},
    ],
)
def test_a_status_that_does_not_say_it_does_not_lead_to_another_order(
    box: Outbox, movable_clock: MovableClock, body: dict[str, Any]
) -> None:
    """Only "not started" means that nothing has happened."""
    job = box.post()
    box.far.drop_answers_of.append("finish")
    box.turns()
    box.far.script = lambda asked: Reply(200, body) if is_status(asked) else None
    until_quiet(box, movable_clock, 2)
    assert box.states(job) == [State.UNKNOWN]
    assert [video.posts for video in box.far.posts] == [1]


def test_an_unfinished_upload_that_calls_itself_a_draft_is_not_published(
    box: Outbox, movable_clock: MovableClock
) -> None:
    job = box.post()
    box.far.script = once(Reply(0, "", drop=True), is_finish)
    box.turns()
    draft = {
        "video_status": "upload_complete",
        "uploading_phase": {"status": "complete"},
        "processing_phase": {"status": "not_started"},
        "publishing_phase": {"status": "not_started", "publish_status": "draft"},
    }
    box.far.script = once(Reply(200, {"status": draft}), is_status)
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_a_post_that_somebody_removes_at_once_was_published_all_the_same(
    box: Outbox, movable_clock: MovableClock
) -> None:
    """Were it failed, trying again would publish it twice."""
    box.far.processing_s = 600
    job = box.post()
    box.turn()
    assert box.states(job) == [State.ACCEPTED]
    box.far.videos.clear()
    movable_clock.move(60)
    box.turns()
    (delivery,) = box.jobs.get(job.id).deliveries
    assert delivery.state is State.DONE
    assert "does not show it" in delivery.warnings[0]


def test_captions_that_are_not_permitted_do_not_cost_the_page(box: Outbox) -> None:
    srt = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"
    refused = Reply(403, {"error": {"code": 10, "message": "(#10) Application does not have permission"}})
    box.far.script = lambda asked: refused if asked.path.endswith("/captions") else None
    job = box.post({"facebook": {"captions": {"srt": srt}}})
    box.turns()
    (delivery,) = box.jobs.get(job.id).deliveries
    assert delivery.state is State.DONE
    assert delivery.warnings[0].startswith("published without its captions")
    assert box.accounts.list()[0].state == "ok"


def test_a_secret_that_was_reset_holds_films_and_fails_none(box: Outbox) -> None:
    reply = Reply(400, {"error": {"code": 100, "message": "Invalid appsecret_proof provided in the API argument"}})
    box.far.script = lambda asked: reply if asked.method == "POST" else None
    job = box.post()
    box.turns()
    assert box.states(job) == [State.HELD]


def test_the_operator_is_told_of_a_block_once(box: Outbox, movable_clock: MovableClock) -> None:
    """Error 368 may last for days."""
    reply = Reply(400, {"error": {"code": 368, "message": "The action attempted has been deemed abusive"}})
    box.far.script = lambda asked: reply if asked.method == "POST" else None
    job = box.post()
    for _ in range(48):
        box.turns()
        movable_clock.move(3600)
    assert box.alarms() == ["Vix: Page 1 is blocked"]
    box.far.script = None
    until_quiet(box, movable_clock, 7)
    assert box.states(job) == [State.DONE]


@pytest.mark.parametrize("render_min", [5, 30])
def test_what_is_too_late_for_facebooks_clock_does_not_go_out_early(
    box: Outbox, movable_clock: MovableClock, render_min: int
) -> None:
    at = (movable_clock() + timedelta(minutes=22)).replace(microsecond=0)
    job = box.ask({"facebook": {"at": at.isoformat(), "scheduled_by": "facebook"}})
    movable_clock.move(render_min * 60)
    box.make(job)
    for _ in range(40):
        box.turns()
        movable_clock.move(60)
    assert box.states(job) == [State.DONE]
    (video,) = box.far.posts
    assert video.state == "PUBLISHED"
    assert at.timestamp() <= video.posted_at <= max(at.timestamp(), video.posted_at if render_min == 30 else 0) + 61
    assert box.types(job).count("delivery.sending") == 1


def test_words_that_no_database_takes_end_in_no_loop(box: Outbox) -> None:
    words = "half a character \ud800 and a \x00 nothing"
    box.far.script = lambda asked: Reply(400, {"error": {"code": 100, "message": words}}) if is_finish(asked) else None
    job = box.post()
    box.turns()
    done = box.jobs.get(job.id)
    assert done.status is Status.FAILED
    assert done.error is not None
    assert "half a character" in done.error.message
