"""What the documentation says of the doors of `/v1/schedules`. Knows no handler."""

from __future__ import annotations

from typing import Any

from daemon.errors import RepeatMismatch, TooManySchedules, UnknownSchedule
from daemon.schedules import ScheduleBody
from daemon.store.schedules import MOST_OF_A_KEY
from daemon.web import manual, models, repeats, schedule_models
from daemon.web.door import Manual, Parameter, Reply
from render.errors import SpecError

_ID = "sch_4v8s2k0q9x7m1c3b5n6z"
_BODY: dict[str, Any] = {
    "name": "Monday quote",
    "every": "monday",
    "at": "09:00",
    "timezone": "Europe/Berlin",
    "spec": {
        "video": {"style": "waves", "duration": 15},
        "text_overlays": [{"text": "{{quote}}"}, {"text": "{{day}}", "positionxy": ["top", "center"]}],
        "variables": {"quote": ["Begin.", "Go on."], "day": {"date": "%d.%m.%Y"}},
    },
    "enabled": True,
}
_AT = "2026-11-21T09:00:00.000+00:00"
_SCHEDULE = _BODY | {
    "id": _ID,
    "kind": "template",
    "lead_min": 0,
    "turn": 1,
    "next_run": "2026-11-30T09:00:00+01:00",
    "last_run": {
        "at": "2026-11-23T08:00:00.000+00:00",
        "state": "ran",
        "job_id": manual.WAITING["job_id"],
        "message": "",
    },
    "created_at": _AT,
    "updated_at": _AT,
}
_NEW = _SCHEDULE | {"turn": 0, "next_run": "2026-11-23T09:00:00+01:00", "last_run": None}
_SCHEDULE_ID = Parameter(
    "schedule_id", "path", "The schedule.", {"type": "string", "pattern": "^sch_[a-z0-9]{20}$"}, _ID
)
_REPEAT = Parameter(
    repeats.HEADER,
    "header",
    "Makes it safe to send the request again: the same key within 24 hours is the same job.",
    {"type": "string", "pattern": repeats.PATTERN},
    "flow-7-item-1",
)

LIST = Manual(
    "Schedules",
    "The key's schedules, the oldest first, with their next and last run.",
    {200: Reply("All of them.", schedule_models.Schedules, {"items": [_SCHEDULE], "next": None})},
    errors=(SpecError,),
)
CREATE = Manual(
    "Schedules",
    "Ask for films by the clock. Every run is a job as `POST /v1/generate` makes it; every turn of its lists is "
    f"checked at once. A key has {MOST_OF_A_KEY} at most.",
    {201: Reply("It is stored.", schedule_models.Schedule, _NEW, headers={"Location": "The schedule."})},
    body=ScheduleBody,
    body_example=_BODY,
    errors=(TooManySchedules,),
)
GET = Manual(
    "Schedules",
    "One schedule.",
    {200: Reply("The schedule.", schedule_models.Schedule, _SCHEDULE)},
    parameters=(_SCHEDULE_ID,),
    errors=(UnknownSchedule, SpecError),
)
REPLACE = Manual(
    "Schedules",
    "Put another schedule in the place of one. Its turn and what has run stay; with other times its slots count from "
    "now on. Secrets that are sent back as they were shown stay as they are.",
    {200: Reply("The schedule as it is now.", schedule_models.Schedule, _SCHEDULE)},
    parameters=(_SCHEDULE_ID,),
    body=ScheduleBody,
    body_example=_BODY,
    errors=(UnknownSchedule,),
)
REMOVE = Manual(
    "Schedules",
    "Remove a schedule. The jobs that it made stay.",
    {204: Reply("It is gone.")},
    parameters=(_SCHEDULE_ID,),
    errors=(UnknownSchedule,),
)
RUN = Manual(
    "Schedules",
    "Run a schedule now, whatever the time, also while it is paused. Its lists go one step on.",
    {
        202: Reply(
            "The job is on disk and waits.",
            models.Job,
            manual.WAITING,
            headers=manual.LOCATION | {repeats.REPLAYED: "`true`: the request came before; this is its job."},
        )
    },
    parameters=(_SCHEDULE_ID, _REPEAT),
    errors=(UnknownSchedule, SpecError, RepeatMismatch),
)
