"""What a job is: values, states and the allowed ways between them. Pure; knows neither database nor queue."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from daemon.deliveries.life import Delivery, NewDelivery

ID_PREFIX = "job_"
_ID_LENGTH = 20
_ID_LETTERS = string.ascii_lowercase + string.digits
FULL_HD_PX = 1080 * 1920


class Status(StrEnum):
    """Where a job is in its life."""

    IN_QUEUE = "in_queue"  # accepted and on disk, waits for the worker
    RENDERING = "rendering"  # a worker has claimed it and makes the film
    DELIVERING = "delivering"  # the film is finished and on its way to where it was asked to go
    DONE = "done"  # all that was asked for has happened
    FAILED = "failed"  # ended without a film, or without publishing it; its error says why
    CANCELLED = "cancelled"  # its owner asked to stop

    @property
    def is_final(self) -> bool:
        """Whether it stays so, unless somebody asks for another try."""
        return self in FINAL


FINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})

NEXT: dict[Status, frozenset[Status]] = {
    Status.IN_QUEUE: frozenset({Status.RENDERING, Status.CANCELLED}),
    Status.RENDERING: frozenset(
        {Status.IN_QUEUE, Status.DELIVERING, Status.DONE, Status.FAILED, Status.CANCELLED},
    ),
    Status.DELIVERING: frozenset({Status.DONE, Status.FAILED, Status.CANCELLED}),
    Status.DONE: frozenset(),
    Status.FAILED: frozenset({Status.IN_QUEUE, Status.DELIVERING}),
    Status.CANCELLED: frozenset(),
}


def sources(target: Status) -> tuple[Status, ...]:
    """The states that `target` can be reached from."""
    return tuple(status for status, following in NEXT.items() if target in following)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed. `code` is stable, `message` is for a person; `permanent`: trying again is no use."""

    code: str
    message: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class CallbackTo:
    """Where the end of a job is told: a URL that is used byte for byte, and headers to send along. Both may hold
    secrets, so neither is shown in answers or logs."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "CallbackTo(...)"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is handed in. `film_s`, `pixels` (of one frame), `fps`, `quality` and `smooth` are what its time is
    estimated by; `base_url` is what its links start with; `warnings` are known before it is made; `deliveries` is where
    it is published."""

    kind: str
    spec: dict[str, Any]
    seed: int
    key_id: str
    film_s: float
    pixels: int = FULL_HD_PX
    fps: float = 30.0
    quality: str = "social"
    smooth: str = "blend"
    client_data: Any = None
    priority: int = 0
    callback: CallbackTo | None = None
    base_url: str = ""
    warnings: tuple[str, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may ask for; 0 is no limit."""

    per_minute: int = 0
    per_day: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a repeated request is known: the client's own word for it, and the SHA-256 of its body as hex."""

    word: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is stored. `progress` is 0 to 100; times are aware and in UTC; `work`: see `daemon.estimate`.

    `film` is the stem of its finished files, None before they are there and after they went.
    """

    id: str
    kind: str
    spec: dict[str, Any]
    seed: int
    key_id: str
    status: Status
    stage: str
    progress: int
    attempt: int
    owner: str | None
    error: Failure | None
    result: dict[str, Any] | None
    warnings: tuple[str, ...]
    client_data: Any
    film_s: float
    work: float
    priority: int
    callback: CallbackTo | None
    base_url: str
    film: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deliveries: tuple[Delivery, ...] = ()

    @property
    def claim(self) -> Claim:
        """The claim under which it was read; only a job that has an owner has one."""
        if self.owner is None:
            raise ValueError(f"{self.id} is claimed by nobody")
        return Claim(self.id, self.attempt, self.owner)

    @property
    def stem(self) -> str:
        """The name, without a suffix, of the files that this attempt makes: no other attempt's files have it."""
        return stem(self.id, self.attempt)


Report = Callable[[str, int], bool]
"""`report(stage, percent) -> is the job still ours?`, which whoever makes it calls again and again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one attempt: the fence of every later write."""

    job_id: str
    attempt: int
    owner: str


def stem(job_id: str, attempt: int) -> str:
    """The name, without a suffix, of the files of an attempt."""
    return f"{job_id}.{attempt}"


def new_id() -> str:
    """Make an id that nobody can guess: `job_` and 20 letters and digits (103 bits)."""
    return ID_PREFIX + "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job. `seq` grows over all jobs; `level` is `info`, `warning` or `error`."""

    seq: int
    job_id: str
    at: datetime
    type: str
    level: str
    message: str
    payload: dict[str, Any]
