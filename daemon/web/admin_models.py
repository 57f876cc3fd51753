"""The shapes of what `/admin` reads and answers. Nothing is computed here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, field_validator

from daemon.web.models import Job, Shape, Url
from render.fieldtypes import Number, Whole
from render.publication import Publish
from render.strict import Strict

MOST = 1_000_000_000
LONGEST_OVERLAP_H = 720
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
Scope = Literal["submit", "read", "metrics"]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=3)]
Limit = Annotated[Whole, Field(ge=0, le=MOST)]


def _sane(value: datetime) -> datetime:
    if not _FIRST <= value < _LAST:
        raise ValueError("must be a time from 1970 to 2999")
    return value


def _text(value: object) -> object:
    """Refuse a number, which would be taken for seconds since 1970 or, beyond some size, for milliseconds."""
    if not isinstance(value, str | datetime):
        raise ValueError("must be a time such as 2030-01-31T00:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_sane)]


class LimitsBody(Strict):
    """A key's own limits; 0 is no limit, null the service's own."""

    per_minute: Limit | None = None
    per_day: Limit | None = None
    waiting: Limit | None = Field(None, description="Jobs that may wait at once.")


class NewKey(Strict):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Scopes = Field(default=["submit", "read"])
    limits: LimitsBody = Field(default_factory=LimitsBody)
    expires_at: Time | None = None
    publish: Publish | None = Field(None, description="Where its films go unless a request says otherwise.")

    @field_validator("name")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must have printable characters only")
        return value


class KeyChange(Strict):
    """What to change of a key; what is not named stays."""

    scopes: Scopes | None = None
    limits: LimitsBody | None = None
    expires_at: Time | None = None
    publish: Publish | None = Field(None, description="Where its films go unless a request says otherwise.")


class Rotation(Strict):
    """How long the secret so far goes on to open."""

    overlap_h: Annotated[Number, Field(ge=0, le=LONGEST_OVERLAP_H)] = 24.0


class Unskip(Strict):
    """A clip as the skip list names it."""

    clip: Annotated[str, Field(min_length=1, max_length=1_000)]


class Prune(Strict):
    """Whether to remove, or only to say what would go."""

    dry_run: bool = False


class LimitsShape(Shape):
    """Limits; 0 is no limit."""

    per_minute: int
    per_day: int
    waiting: int


class OwnLimitsShape(Shape):
    """The limits that a key has for itself; null: the service's own."""

    per_minute: int | None
    per_day: int | None
    waiting: int | None


class KeyShape(Shape):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    limits: LimitsShape = Field(description="What holds.")
    own_limits: OwnLimitsShape
    publish: dict[str, Any] | None = Field(description="Where its films go unless a request says otherwise.")
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    used_at: AwareDatetime | None = Field(description="Within the hour.")
    old_secret_until: AwareDatetime | None = Field(description="When the secret before the last rotation ends.")


class KeyWithSecret(KeyShape):
    """A key with its secret, which is not shown again."""

    key: str


class Keys(Shape):
    """All keys, the oldest first."""

    items: list[KeyShape]
    next: None


class AdminJob(Job):
    """A job, and whose it is."""

    key_id: str


class AdminJobs(Shape):
    """One page of all jobs, the newest first."""

    items: list[AdminJob]
    next: Url | None


class ErrandShape(Shape):
    """What the worker was asked to do between two films."""

    id: int
    name: str
    argument: str
    asked_at: AwareDatetime
    done_at: AwareDatetime | None
    answer: dict[str, Any] | None = Field(
        description="Once it is done; with the `host` that did it, and `error` where it went wrong."
    )


class LibraryStyle(Shape):
    """A style and how many clips it has, skipped ones included."""

    name: str
    clips: int


class SkippedClip(Shape):
    """A clip that is not picked, and why."""

    clip: str
    reason: str


class LibraryShape(Shape):
    """The clip library as the operator sees it."""

    styles: list[LibraryStyle]
    skipped: list[SkippedClip]
    errands: list[ErrandShape] = Field(description="Those asked for last, the newest first.")


class AuditLine(Shape):
    """One admin call."""

    id: int
    at: AwareDatetime
    address: str
    method: str
    path: str
    status: int


class AuditPage(Shape):
    """Admin calls, the newest first."""

    items: list[AuditLine]
    next: Url | None
