"""What Facebook's answers mean: errors by what is to be done about them, and how much of the allowance is used. Pure.

Source: Meta's "Handle Errors" and "Rate Limits" pages; codes from its changelog and from clients that met them. The
code decides, not the HTTP status. Facebook's own words are shown, as they name the fix; they hold no token.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from daemon.deliveries.setbacks import DeliveryError, NeedsHuman, Passing, Refused, Throttled, Unclear

AGAIN = "Connect the account again: ./vix accounts add facebook."
_LONGEST_WORDS = 300
_PASSING = (1, 2)
_THROTTLED = (4, 17, 32, 341, 613, 80001)
_DEAD = (102, 190)
_FORBIDDEN = (3, 10, *range(200, 300))
_BLOCKED = 368
_DUPLICATE = 506
_UPLOAD = (6000, 6001)
_PROOF = re.compile(r"appsecret_proof", re.I)
_UPLOAD_TRIES = 5
_USUAL_WAIT_S = 900.0
_BLOCKED_S = 6 * 3600.0
_FULL_PERCENT = 90
_WHY_DEAD = {
    458: "the app was removed from the account of the person who connected it",
    459: "Facebook wants that person to log in at facebook.com and confirm something",
    460: "that person's password was changed",
    463: "the token has expired",
    464: "that person's account is not confirmed",
    467: "the token is no longer valid",
    492: "that person has no role on the page any more",
    493: "that person did not use the app for 90 days",
}


class Forbidden(NeedsHuman):
    """A right is missing, which may be one for a side thing only."""


class NotUsable(Passing):
    """What was uploaded is missing or cannot be used: for sure, nothing was published of it."""


class WrongOffset(NotUsable):
    """A chunk was not the one that is wanted; `offsets` are the `start_offset` and `end_offset` of the one that is."""

    def __init__(self, message: str, code: str, offsets: dict[str, str]) -> None:
        self.offsets = offsets
        super().__init__(message, code, _UPLOAD_TRIES)


def error_of(status: int, body: bytes) -> DeliveryError | None:
    """Read an answer; None where it is a good one."""
    answer = parsed(body)
    if answer is None:
        if status < 400 or status >= 500:
            return Unclear(f"Facebook answered {status} with something that is not JSON.", "facebook_no_json")
        # A server in between, or an address that is none.
        return Passing(f"Facebook answered {status} with something that is not JSON.", "facebook_no_json", 5)
    if isinstance(error := answer.get("error"), dict):
        found = _of_graph(error)
        # A server that fails says nothing of what it has done before.
        return Unclear(str(found), found.code) if status >= 500 and isinstance(found, Refused) else found
    if error:
        return Unclear(f"Facebook answered {status} with an error of another form.", "facebook_error")
    if isinstance(info := answer.get("debug_info"), dict):
        return _of_upload(status, info)
    if status >= 500 or 300 <= status < 400:
        return Unclear(f"Facebook answered {status}.", "facebook_down")
    if status >= 400:
        return Refused(f"Facebook answered {status} without saying why.", "facebook_refused")
    return None


def parsed(body: bytes) -> dict[str, Any] | None:
    """A JSON object; `true` alone, which some calls answer, is an empty one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if answer is True:
        return {}
    return answer if isinstance(answer, dict) else None


def token_problem(code: int, subcode: int, words: str) -> str:
    """One sentence about a token that Facebook refuses."""
    why = _WHY_DEAD.get(subcode) or (clean(words) if words else f"error {code}")
    return f"Facebook does not accept the token any more: {why.rstrip('.')}. {AGAIN}"


def pause_s(headers: Mapping[str, str]) -> float:
    """Seconds to leave an account alone, read from the usage headers; 0 where there is room left.

    `X-Business-Use-Case-Usage` tells for each object how many percent are used, and in minutes when there will be
    access again; `X-App-Usage` has percentages alone. To call on while limited makes the block longer.
    """
    by_object = parsed(headers.get("x-business-use-case-usage", "{}").encode()) or {}
    entries = [entry for found in by_object.values() if isinstance(found, list) for entry in found]
    entries.append(parsed(headers.get("x-app-usage", "{}").encode()) or {})
    pauses = [0.0]
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        minutes = _number(entry.get("estimated_time_to_regain_access"))
        used = max(_number(entry.get(name)) for name in ("call_count", "total_cputime", "total_time"))
        if minutes > 0:
            pauses.append(min(minutes, 24 * 60) * 60.0)
        elif used >= _FULL_PERCENT:
            pauses.append(_USUAL_WAIT_S)
    return max(pauses)


def _of_graph(error: Mapping[str, Any]) -> DeliveryError:
    code, subcode = int(_number(error.get("code"))), int(_number(error.get("error_subcode")))
    words = clean(str(error.get("error_user_msg") or error.get("message") or ""))
    name = f"facebook_{code}" + (f"_{subcode}" if subcode else "")
    said = f"Facebook: {words}" if words else f"Facebook answered with error {code}."
    if code in _DEAD:
        return NeedsHuman(token_problem(code, subcode, words), name)
    if code in _THROTTLED:
        return Throttled(said, name, _USUAL_WAIT_S)
    if code == _BLOCKED:
        return Throttled(
            f"{said} The account is blocked for a while; look at facebook.com.", name, _BLOCKED_S, is_block=True
        )
    if code in _FORBIDDEN:
        return Forbidden(f"Facebook does not permit it: {words or f'error {code}'} {AGAIN}", name)
    if code == 100 and _PROOF.search(words):  # the app's secret is another one by now
        return NeedsHuman(token_problem(code, subcode, words), name)
    if code == _DUPLICATE:
        return Unclear(f"Facebook says that this was posted before: {words}", name)
    if code in _UPLOAD and isinstance(data := error.get("error_data"), dict) and "start_offset" in data:
        offsets = {name: str(data.get(name, "")) for name in ("start_offset", "end_offset")}
        return WrongOffset(said, name, offsets)
    if code in _UPLOAD:
        return NotUsable(said, name, _UPLOAD_TRIES)
    if code in _PASSING or error.get("is_transient") is True:
        return Passing(said, name)
    if is_daily_limit(code, subcode, words):
        return Throttled(said, name, 3600.0, account=False)
    return Refused(said, name)


def is_daily_limit(code: int, subcode: int, words: str) -> bool:
    """Whether an error is the one of a page that has its 30 Reels of the last 24 hours. Its code is not documented; its
    words are."""
    return code in (0, 100) and bool(re.search(r"\b(limit|maximum)\b.*\b(24|day|daily)\b", words, re.I))


def _of_upload(status: int, info: Mapping[str, Any]) -> DeliveryError:
    """The upload host has a shape of its own: `{"debug_info": {"retriable", "type", "message"}}`."""
    words, name = clean(str(info.get("message") or "")), "facebook_upload"
    said = f"Facebook's upload host: {words or f'error {status}'}"
    if re.search(r"oauth|access token", f"{info.get('type')} {words}", re.I):
        return NeedsHuman(token_problem(190, 0, words), name)
    if info.get("retriable") is True or status >= 500:
        return Passing(said, name)
    return Passing(said, name, _UPLOAD_TRIES)


def clean(words: str) -> str:
    """Facebook's own words, on one line, without what may be part of a token or a URL's query, and what no database
    takes."""
    line = re.sub(r"[\s\x00-\x1f\x7f\ud800-\udfff]+", " ", words).strip()
    line = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1?...", line)
    line = re.sub(r"\b[A-Za-z0-9_|-]{40,}\b", "...", line)
    return line[:_LONGEST_WORDS]


def _number(value: object) -> float:
    """A number that may come as a string; 0 for what is none that can be counted with."""
    if isinstance(value, bool):
        return 0.0
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0
