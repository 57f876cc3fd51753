"""What is read from the status of a video, in all the spellings that were seen."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.facebook.status import read


def answer(
    video: str = "", upload: Any = None, process: Any = None, publish: Any = None, **more: Any
) -> dict[str, Any]:
    phases = {"uploading_phase": upload, "processing_phase": process, "publishing_phase": publish}
    return {"status": {"video_status": video, **{k: v for k, v in phases.items() if v is not None}}, "id": "1", **more}


NOT_STARTED = {"status": "not_started"}


def test_a_video_that_was_uploaded_and_not_ordered() -> None:
    done = {"status": "complete", "bytes_transfered": 7}
    status = read(answer("processing", done, NOT_STARTED, NOT_STARTED))
    assert (status.uploaded, status.is_uploaded, status.is_untouched) == (7, True, True)
    assert (status.is_processed, status.is_published, status.is_failed) == (False,) * 3


@pytest.mark.parametrize("word", ["complete", "completed"])
@pytest.mark.parametrize("spelling", ["bytes_transfered", "bytes_transferred"])
def test_both_spellings(word: str, spelling: str) -> None:
    phase = {"status": word}
    status = read(answer("ready", phase | {spelling: "12"}, phase, phase, permalink_url="/reel/1/"))
    assert (status.uploaded, status.is_uploaded, status.is_processed, status.is_published) == (12, True, True, True)
    assert (status.is_untouched, status.link) == (False, "/reel/1/")


@pytest.mark.parametrize("word", ["published", "scheduled"])
def test_what_has_gone_out_or_will(word: str) -> None:
    assert read(answer("ready", publish={"status": "in_progress", "publish_status": word})).is_published


def test_a_draft_is_called_one() -> None:
    status = read(answer("ready", publish={"status": "not_started", "publish_status": "draft"}))
    assert (status.is_draft, status.is_published) == (True, False)


@pytest.mark.parametrize(
    ("process", "publish"),
    [
        ({"status": "in_progress"}, NOT_STARTED),
        (NOT_STARTED, {"status": "in_progress"}),
        (NOT_STARTED, {"status": "something new"}),
        (NOT_STARTED, {}),
        (NOT_STARTED, None),
        ({"status": "something new"}, NOT_STARTED),
    ],
)
def test_only_what_says_so_outright_is_untouched(process: Any, publish: Any) -> None:
    assert not read(answer("upload_complete", {"status": "complete"}, process, publish)).is_untouched


@pytest.mark.parametrize("video", ["error", "upload_failed", "expired"])
def test_a_failure_of_the_whole(video: str) -> None:
    status = read(answer(video))
    assert status.is_failed
    assert status.problem == "it did not say why"


@pytest.mark.parametrize("phase", ["upload", "process", "publish"])
@pytest.mark.parametrize(
    "member", [{"error": {"message": "Bad\nfilm"}}, {"errors": [{"code": 1, "message": "Bad film"}]}]
)
def test_a_failure_of_a_phase_says_why(phase: str, member: dict[str, Any]) -> None:
    status = read(answer("processing", **{phase: {"status": "error", **member}}))
    assert status.is_failed
    assert status.problem == "Bad film"


def test_a_copyright_check_that_fails_blocks_nothing() -> None:
    told = answer("ready", publish={"status": "complete"})
    told["status"]["copyright_check_status"] = {"status": "error"}
    assert not read(told).is_failed


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"status": None},
        {"status": "ready"},
        {"status": []},
        {"status": {"video_status": 7, "uploading_phase": "complete", "processing_phase": [1], "publishing_phase": 1}},
        {"status": {"uploading_phase": {"status": ["complete"], "bytes_transfered": {}, "errors": 5}}},
        {"status": {"uploading_phase": {"status": "error", "errors": "text", "error": "text"}}},
        {"status": {"uploading_phase": {"bytes_transfered": 1e999}, "processing_progress": "NaN"}},
        {"status": {"uploading_phase": {"bytes_transfered": -5}}, "permalink_url": 7, "published": "true"},
    ],
)
def test_odd_answers_say_nothing_good(odd: dict[str, Any]) -> None:
    status = read(odd)
    assert status.uploaded == 0
    assert (status.is_uploaded, status.is_untouched, status.is_processed, status.is_published) == (False,) * 4
