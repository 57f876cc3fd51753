"""What Facebook says of a video that it was given. Pure.

Seen in the wild: `bytes_transfered` and `bytes_transferred`, `complete` and `completed`; values that nobody has
documented, which mean that it is not over yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.facebook.meaning import clean

_COMPLETE = ("complete", "completed")
_FAILED = ("error", "upload_failed", "expired")


@dataclass(frozen=True, slots=True)
class VideoStatus:
    """How far a video is. `uploaded` are bytes; `is_untouched`: it says outright that no work on it has begun, which
    it does once the order to publish is in; `is_draft` is what one that nobody has ordered yet may be called, too;
    `problem` is a sentence where it has failed."""

    uploaded: int
    is_uploaded: bool
    is_untouched: bool
    is_processed: bool
    is_published: bool
    is_draft: bool
    is_failed: bool
    progress: int
    problem: str = ""
    link: str = ""


def read(answer: Mapping[str, Any]) -> VideoStatus:
    """Read the answer to `?fields=status`, with or without `published` and `permalink_url`."""
    status = _dict(answer.get("status"))
    upload, process, publish = (
        _dict(status.get(f"{name}_phase")) for name in ("uploading", "processing", "publishing")
    )
    overall = str(status.get("video_status", ""))
    publish_status = str(publish.get("publish_status", ""))
    phases = [_dict(phase) for phase in (upload, process, publish)]
    is_failed = overall in _FAILED or any(phase.get("status") == "error" for phase in phases)
    is_published = (
        publish.get("status") in _COMPLETE
        or publish_status in ("published", "scheduled")
        or answer.get("published") is True
    )
    return VideoStatus(
        uploaded=_whole(upload.get("bytes_transfered", upload.get("bytes_transferred"))),
        is_uploaded=upload.get("status") in _COMPLETE or overall in ("upload_complete", "processing", "ready"),
        is_untouched=process.get("status") in (None, "not_started") and publish.get("status") == "not_started",
        is_processed=process.get("status") in _COMPLETE or overall == "ready",
        is_published=is_published,
        is_draft=publish_status == "draft",
        is_failed=is_failed,
        progress=_whole(status.get("processing_progress")),
        problem=_problem(phases) if is_failed else "",
        link=str(answer.get("permalink_url") or ""),
    )


def _problem(phases: list[dict[str, Any]]) -> str:
    for phase in phases:
        several = phase.get("errors")
        for error in [phase.get("error"), *(several if isinstance(several, list) else [])]:
            if isinstance(error, dict) and error.get("message"):
                return clean(str(error["message"]))
    return "it did not say why"


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int:
    try:
        return max(0, int(float(value)))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0
