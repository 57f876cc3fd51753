"""What the documentation says of the doors that tell of the service itself. Knows no handler."""

from __future__ import annotations

from daemon.web import manual, models
from daemon.web.door import Manual, Reply
from render.errors import SpecError

INDEX = Manual(
    "Service",
    "What this is, and where to look next.",
    {
        200: Reply(
            "Where to look.",
            models.Index,
            {"service": "vix", "version": "1.0", "health_url": "https://films.example.org/health"},
        )
    },
)
HEALTH = Manual(
    "Service",
    "Whether films can be made now. For anybody, so it names no path, no job, no page and no secret.",
    {
        200: Reply(
            "Everything works; `degraded`: but `warnings` name what needs somebody.", models.Free, {"status": "ok"}
        ),
        503: Reply("Something does not; `checks` says what.", models.Free, {"status": "failing"}),
    },
)
SUMMARY = Manual(
    "Service",
    "How the service and the key's films do, as one flat object under 1 kB: for sensors.",
    {
        200: Reply(
            "All of it.",
            models.Summary,
            {
                "status": "ok",
                "message": "",
                "version": "1.0",
                "queued": 2,
                "rendering": 1,
                "delivering": 0,
                "last_job_id": manual.DONE["job_id"],
                "last_finished_at": manual.DONE["finished_at"],
                "last_download_url": manual.DONE["download_url"],
                "token_days_left": 89.9,
                "next_run_at": "2026-11-30T08:00:00+00:00",
            },
        )
    },
    errors=(SpecError,),
)
METRICS = Manual(
    "Service",
    "The service in numbers, in Prometheus' text format. The key needs the scope `metrics`.",
    {200: Reply("Every number that can be read now.", media_types=("text/plain",), example="vix_up 1.0\n")},
)
OPENAPI = Manual("Service", "This documentation, for programs.", {200: Reply("OpenAPI 3.1.", models.Free)})
DOCS = Manual("Service", "This documentation, for people.", {200: Reply("A page.", media_types=("text/html",))})
