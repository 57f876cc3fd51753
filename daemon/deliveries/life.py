"""What a delivery is: values, states and the allowed ways between them. Pure; knows no far side and no table."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

ID_PREFIX = "dlv_"
_ID_LENGTH = 20
_ID_LETTERS = string.ascii_lowercase + string.digits


class State(StrEnum):
    """Where a delivery is in its life."""

    WAITING = "waiting"  # its film is not finished
    READY = "ready"  # nothing is published; goes out when its time has come
    HELD = "held"  # its account cannot be used until somebody has put that right
    SENDING = "sending"  # the order to publish is out, or may be: only the far side knows what came of it
    ACCEPTED = "accepted"  # the far side has taken it, and what follows goes on
    UNKNOWN = "unknown"  # the far side cannot say whether it is published; somebody has to look
    DONE = "done"  # published
    FAILED = "failed"  # given up, and not published
    CANCELLED = "cancelled"  # no longer wanted, and not published

    @property
    def is_final(self) -> bool:
        """Whether it stays so, unless somebody asks for another try."""
        return self in FINAL


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})
UNPUBLISHED = frozenset({State.WAITING, State.READY, State.HELD})
"""No order to publish is out: these can be called off."""

OUTCOMES = {"published": State.DONE, "not_published": State.READY, "give_up": State.FAILED}
"""What a person may say of a delivery that is `unknown`, and what becomes of it."""

NEXT: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.READY, State.HELD, State.CANCELLED}),
    State.READY: frozenset({State.READY, State.SENDING, State.HELD, State.FAILED, State.CANCELLED}),
    State.HELD: frozenset({State.READY, State.CANCELLED}),
    State.SENDING: frozenset(
        {State.SENDING, State.ACCEPTED, State.READY, State.HELD, State.FAILED, State.UNKNOWN, State.CANCELLED},
    ),
    State.ACCEPTED: frozenset({State.ACCEPTED, State.DONE, State.FAILED}),
    State.UNKNOWN: frozenset({State.DONE, State.READY, State.HELD, State.FAILED, State.CANCELLED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.READY, State.WAITING}),
    State.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery as it is asked for: `target` is the kind of far side, `spec` what to publish there and how, `at` when
    (None: as soon as the film is finished)."""

    target: str
    account_id: str
    spec: dict[str, Any]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Setback:
    """Why a delivery has not got on. `code` is stable, `message` is for a person; `permanent`: trying again is no
    use."""

    code: str
    message: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is stored.

    `remote` is what the far side has told about it. `due_at` is when it may go out; `next_at` when there is something
    to do about it, or, while somebody is at it, when he counts as dead. `sent_at` is when the order to publish went
    out last. `tries` counts setbacks in a row, `orders` how often the order to publish was given, `claims` every time
    that somebody took it. `account_name` and `account_note`, a sentence about what is wrong with the account or soon
    will be, are empty where none is known.
    """

    id: str
    seq: int
    job_id: str
    key_id: str
    target: str
    account_id: str
    state: State
    spec: dict[str, Any]
    remote: dict[str, Any]
    tries: int
    orders: int
    claims: int
    owner: str | None
    due_at: datetime
    next_at: datetime
    sent_at: datetime | None
    error: Setback | None
    warnings: tuple[str, ...]
    created_at: datetime
    ended_at: datetime | None
    account_name: str = ""
    account_note: str = ""

    def __repr__(self) -> str:
        return f"Delivery({self.id}, {self.state})"


@dataclass(frozen=True, slots=True)
class Step:
    """What came of being at a delivery: its new state, what is known of the far side now, the seconds until there is
    something to do again, and the setback if it was one. `tries` is the new count of setbacks in a row."""

    state: State
    remote: dict[str, Any]
    wait_s: float = 0.0
    error: Setback | None = None
    tries: int = 0
    warnings: tuple[str, ...] = field(default=())


def new_id() -> str:
    """Make an id that nobody can guess: `dlv_` and 20 letters and digits (103 bits)."""
    return ID_PREFIX + "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


def plain(delivery: Delivery) -> dict[str, Any]:
    """A delivery as JSON members, for answers and callbacks. What the far side has told stays here, but for the link
    to what was published."""
    error = delivery.error
    return {
        "delivery_id": delivery.id,
        "job_id": delivery.job_id,
        "target": delivery.target,
        "account": delivery.account_name,
        "state": str(delivery.state),
        "at": _time(delivery.due_at),
        "next_try_at": _time(delivery.next_at) if delivery.state in (State.READY, State.SENDING) else None,
        "link": delivery.remote.get("link") or None,
        "tries": delivery.tries,
        "error": {"code": error.code, "message": error.message, "permanent": error.permanent} if error else None,
        "warnings": list(delivery.warnings),
        "ended_at": _time(delivery.ended_at),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
