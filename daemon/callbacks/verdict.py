"""What a receiver's answer to a callback means. Pure.

n8n answers 409 while its Wait node is not ready, 404 while it restarts, and 409 "finished already" once it was told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from daemon.store.callbacks import State

_PASSING = (404, 408, 409, 425, 429)
_TOLD_BEFORE = "finished already"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` is READY where it is to be tried again, `asked_s` after how many seconds at least. The message quotes
    nothing of the answer, which may hold secrets."""

    state: State
    message: str
    asked_s: float = 0.0


def judge(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict:
    """Judge an answer. `headers` have lower-case names."""
    if 200 <= status < 300:
        return Verdict(State.DONE, "Taken.")
    if status == 409 and _TOLD_BEFORE in _message(body):
        return Verdict(State.DONE, "The receiver says that it has finished already.")
    if status in _PASSING or status >= 500:
        return Verdict(State.READY, f"Answered {status}.", asked_s(headers.get("retry-after", ""), now))
    if 300 <= status < 400:
        return Verdict(State.FAILED, f"Answered {status}; redirects are not followed, give the final URL.")
    return Verdict(State.FAILED, f"Answered {status}, which no further try would change.")


def asked_s(retry_after: str, now: datetime) -> float:
    """Read Retry-After (RFC 9110, 10.2.3): seconds or a date; 0 where it is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _message(body: bytes) -> str:
    """Take the member `message` out of a JSON object; empty where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = answer.get("message") if isinstance(answer, dict) else None
    return message.lower() if isinstance(message, str) else ""
