"""The shapes of what `/v1/schedules` answers. Nothing is computed here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from daemon.web.models import JobId, Shape


class LastRun(Shape):
    """What came last of a schedule."""

    at: AwareDatetime = Field(description="The time that it was for.")
    state: Literal["ran", "missed", "failed"] = Field(description="`failed`: the request was refused.")
    job_id: JobId | None
    message: str = Field(description="Why there is no job.")


class Schedule(Shape):
    """Films that are asked for by the clock."""

    id: Annotated[str, Field(pattern="^sch_[a-z0-9]{20}$")]
    name: str
    kind: str
    every: str | list[str]
    at: str | list[str] | None
    timezone: str
    spec: dict[str, Any] = Field(description="Without the callback's query and headers, which may be secrets.")
    enabled: bool
    lead_min: int
    turn: int = Field(description="How often it has run: where its lists are.")
    next_run: AwareDatetime | None = Field(description="On its own clock; null while it is paused.")
    last_run: LastRun | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Schedules(Shape):
    """The schedules of a key."""

    items: list[Schedule]
    next: None
