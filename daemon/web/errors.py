"""From an exception to an answer: one table, one shape. Nothing else here or elsewhere writes an error by hand.

The shape is that of RFC 9457 plus `message`, the one sentence that automation clients show to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from daemon.errors import (
    AccountRefused,
    AdminRefused,
    BadKey,
    DatabaseBusy,
    DiskFull,
    JobGone,
    JobNotReady,
    KeyRevoked,
    LinkExpired,
    LoginRefused,
    MissingScope,
    NoCallbacks,
    NotLookedAt,
    PreviewBusy,
    PreviewFailed,
    PreviewImpossible,
    RepeatMismatch,
    SettingsError,
    StoreError,
    TooManyRequests,
    TooManySchedules,
    UnknownAccount,
    UnknownDelivery,
    UnknownJob,
    UnknownKey,
    UnknownSchedule,
    VaultLocked,
    WrongState,
)
from daemon.jobs import FINAL
from daemon.web.answers import Answer
from daemon.web.bodies import BodyTooLarge, BodyTooSlow, NotJson, WrongContentType
from daemon.web.download import RangeNotSatisfiable
from daemon.web.wire import NotHttp, TooManyConnections
from render.errors import FieldProblem, SpecError

PROBLEM_TYPE = "application/problem+json"
MOST_PROBLEMS = 1000
_LONGEST_INSTANCE = 300


def _own_words(exc: Any) -> str:
    return str(exc)


def _no_members(exc: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of exception is answered. `sentence`, `members` and `told` (headers) are given the exception."""

    status: int
    title: str
    sentence: Callable[[Any], str] = _own_words
    members: Callable[[Any], dict[str, Any]] = _no_members
    headers: Mapping[str, str] = field(default_factory=dict)
    told: Callable[[Any], dict[str, str]] = _no_members


def spec_sentence(exc: SpecError) -> str:
    """Say what to do about the first wrong field, and how many others there are."""
    first, others = exc.problems[0], len(exc.problems) - 1
    sentence = f"{first.field}: {first.message}"
    sentence += ("" if sentence.endswith((".", "?", "!")) else ".") + f" Sent: {first.value_type}."
    if others:
        sentence += f" {others} more {'field is' if others == 1 else 'fields are'} wrong; see errors."
    return sentence


def _spec_members(exc: SpecError) -> dict[str, Any]:
    return {"errors": [_problem(problem) for problem in exc.problems[:MOST_PROBLEMS]]}


def _problem(problem: FieldProblem) -> dict[str, str]:
    return {"field": problem.field, "message": problem.message, "value_type": problem.value_type}


def _not_ready_sentence(exc: JobNotReady) -> str:
    hint = "Its status_url says why." if exc.status in FINAL else "Ask its status_url with ?wait=30 until it is done."
    return f"{exc} {hint}"


def _wrong_state_members(exc: WrongState) -> dict[str, str]:
    return {"job_status" if exc.what == "job" else "delivery_state": exc.status}


def _http_sentence(exc: HTTPException) -> str:
    if exc.status_code == 404:
        return "Nothing is served at this path; films are asked for with POST /v1/generate, without a slash at the end."
    if exc.status_code == 405:
        allowed = (exc.headers or {}).get("Allow", "another method")
        return f"This path does not answer this method; use {allowed}."
    return exc.detail


RULES: dict[type[Exception], Rule] = {
    NotHttp: Rule(400, "Not HTTP", headers={"Connection": "close"}),
    NotJson: Rule(400, "Not JSON"),
    # Nobody reads this one; it keeps clients that hang up out of the log of errors.
    ClientDisconnect: Rule(400, "Body cut off", lambda exc: "The connection ended before the body did; send it again."),
    BadKey: Rule(401, "Key needed", headers={"WWW-Authenticate": 'Bearer realm="vix"'}),
    LoginRefused: Rule(401, "Login refused"),
    LinkExpired: Rule(401, "Link expired", headers={"WWW-Authenticate": 'Bearer realm="vix"'}),
    MissingScope: Rule(403, "Scope needed"),
    AdminRefused: Rule(403, "Address refused"),
    UnknownKey: Rule(404, "No such key"),
    UnknownAccount: Rule(404, "No such account"),
    UnknownDelivery: Rule(
        404, "No such delivery", lambda exc: f"{exc} It shows only to the key that its film was asked for with."
    ),
    UnknownJob: Rule(404, "No such job", lambda exc: f"{exc} It shows only to the key that it was asked for with."),
    UnknownSchedule: Rule(404, "No such schedule", lambda exc: f"{exc} It shows only to the key that made it."),
    BodyTooSlow: Rule(408, "Body too slow", headers={"Connection": "close"}),
    KeyRevoked: Rule(409, "Key revoked"),
    JobNotReady: Rule(409, "Not ready", _not_ready_sentence, lambda exc: {"job_status": exc.status}),
    WrongState: Rule(409, "Not in a state for it", members=_wrong_state_members),
    TooManySchedules: Rule(409, "Too many schedules"),
    NoCallbacks: Rule(409, "Nobody to tell"),
    NotLookedAt: Rule(409, "Not looked at yet"),
    JobGone: Rule(410, "Gone"),
    BodyTooLarge: Rule(413, "Body too large"),
    WrongContentType: Rule(415, "Wrong content type"),
    RangeNotSatisfiable: Rule(416, "Range not satisfiable"),
    RepeatMismatch: Rule(422, "Key used before"),
    AccountRefused: Rule(422, "Account refused"),
    SpecError: Rule(422, "Wrong fields", spec_sentence, _spec_members),
    PreviewImpossible: Rule(422, "Cannot be made"),
    TooManyRequests: Rule(429, "Too many requests", told=lambda exc: {"Retry-After": str(exc.retry_after_s)}),
    TooManyConnections: Rule(503, "Too many connections", headers={"Connection": "close", "Retry-After": "5"}),
    PreviewBusy: Rule(503, "Previews are waiting", headers={"Retry-After": "1"}),
    PreviewFailed: Rule(503, "Preview failed", headers={"Retry-After": "5"}),
    SettingsError: Rule(503, "Set wrongly", headers={"Retry-After": "60"}),
    VaultLocked: Rule(503, "Vault locked", headers={"Retry-After": "60"}),
    DatabaseBusy: Rule(503, "Database busy", headers={"Retry-After": "2"}),
    StoreError: Rule(503, "Database broken", headers={"Retry-After": "60"}),
    DiskFull: Rule(507, "Disk full", headers={"Retry-After": "60"}),
    HTTPException: Rule(500, "HTTP error", _http_sentence),
    Exception: Rule(
        500,
        "Internal error",
        lambda exc: "Something went wrong here that is not the request's fault; the log says what. Try again later.",
        # The server drops the connection after an exception that nobody expected; say so.
        headers={"Connection": "close"},
    ),
}


def rule_of(kind: type[Exception]) -> Rule:
    """Find the rule of the nearest class that has one."""
    return next(RULES[cls] for cls in kind.__mro__ if cls in RULES)


def rule_for(exc: Exception) -> Rule:
    """Find the rule that an exception is answered by."""
    return rule_of(type(exc))


async def answer(request: Request, exc: Exception) -> Answer:
    """Answer a request that ended with an exception."""
    return written(request, exc)


def written(request: Request, exc: Exception) -> Answer:
    """Write the answer to a request that ended with an exception."""
    rule = rule_for(exc)
    status, title = rule.status, rule.title
    # An exception that nobody expected may have a `code` that means something else.
    code = "internal" if rule is RULES[Exception] else getattr(exc, "code", "bad_request")
    if isinstance(exc, HTTPException):
        status, title = exc.status_code, HTTPStatus(exc.status_code).phrase
        code = title.lower().replace(" ", "_")
    sentence = rule.sentence(exc)
    members = {
        "type": f"urn:vix:error:{code}",
        "title": title,
        "status": status,
        "detail": sentence,
        "instance": quote(request.scope["path"], errors="replace")[:_LONGEST_INSTANCE],
        "message": sentence,
        **rule.members(exc),
    }
    media_type = PROBLEM_TYPE if _asks_for_problem(request) else None
    headers = {**rule.headers, **rule.told(exc), **(getattr(exc, "headers", None) or {}), **headers_of(request)}
    return Answer(members, status, headers, media_type)


def status_of(exc: Exception) -> int:
    """The status that an exception is answered with."""
    return exc.status_code if isinstance(exc, HTTPException) else rule_for(exc).status


def headers_of(request: Request) -> dict[str, str]:
    """The headers that every answer to this request carries, be it an error or not; whoever knows one puts it in."""
    headers: dict[str, str] = request.scope.setdefault("state", {}).setdefault("headers", {})
    return headers


def _asks_for_problem(request: Request) -> bool:
    """Say whether Accept names the problem type; clients that parse JSON do not parse it otherwise."""
    ranges = ",".join(request.headers.getlist("accept")).lower().split(",")
    for parameters in (item.replace(" ", "").split(";") for item in ranges):
        if parameters[0] == PROBLEM_TYPE:
            return not any(part.startswith("q=0") and not part.strip("q=0.") for part in parameters[1:])
    return False
