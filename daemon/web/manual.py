"""What the documentation says of each door: parameters, answers, examples. Knows no handler."""

from __future__ import annotations

from typing import Any

from daemon.errors import (
    JobGone,
    JobNotReady,
    NoCallbacks,
    NotLookedAt,
    PreviewBusy,
    PreviewFailed,
    PreviewImpossible,
    RepeatMismatch,
    TooManyRequests,
    UnknownJob,
    WrongState,
)
from daemon.jobs import Status
from daemon.kinds import KINDS
from daemon.web import events, fonts, jobs, models, preview, repeats
from daemon.web.bodies import MAX_BODY_BYTES
from daemon.web.door import Manual, Parameter, Reply
from daemon.web.download import RangeNotSatisfiable
from daemon.web.parameters import LARGEST
from daemon.web.status import LONGEST_WAIT_S
from render.errors import SpecError
from render.spec import TemplateSpec

_ID = "job_4v8s2k0q9x7m1c3b5n6z"
_BASE = "https://films.example.org"
_AT = "2026-11-21T09:00:00.000+00:00"
_SPEC = {"video": {"style": "waves", "duration": 15}, "text_overlays": [{"text": "Hello World", "font_size": 60}]}

WAITING: dict[str, Any] = {
    "job_id": _ID,
    "status": "in_queue",
    "progress": 0,
    "queue_position": 1,
    "estimated_time_remaining_s": 7.5,
    "stage": "",
    "error": None,
    "result": None,
    "warnings": [],
    "deliveries": [],
    "client_data": {"row": 7},
    "created_at": _AT,
    "started_at": None,
    "finished_at": None,
    "status_url": f"{_BASE}/v1/status/{_ID}",
    "download_url": f"{_BASE}/v1/download/{_ID}.mp4",
}
DELIVERY: dict[str, Any] = {
    "delivery_id": "dlv_7x1m9c3b5n6z4v8s2k0q",
    "job_id": _ID,
    "target": "facebook",
    "account": "My Page",
    "state": "done",
    "at": "2026-11-21T09:00:08.500+00:00",
    "next_try_at": None,
    "link": "https://www.facebook.com/reel/900000000001",
    "tries": 0,
    "error": None,
    "warnings": [],
    "ended_at": "2026-11-21T09:01:12.000+00:00",
}
DONE = WAITING | {
    "status": "done",
    "progress": 100,
    "queue_position": None,
    "estimated_time_remaining_s": 0.0,
    "result": {
        "download_url": f"{_BASE}/v1/download/{_ID}.mp4",
        "thumbnail_url": f"{_BASE}/v1/download/{_ID}.jpg",
        "signed_download_url": f"{_BASE}/v1/download/{_ID}.mp4?expires=1795338000&signature={'0' * 64}",
        "signed_thumbnail_url": f"{_BASE}/v1/download/{_ID}.jpg?expires=1795338000&signature={'0' * 64}",
        "signed_until": "2026-11-22T09:00:00.000+00:00",
        "duration_s": 15.0,
        "width": 1080,
        "height": 1920,
        "fps": 30.0,
        "quality": "social",
        "smooth": "blend",
        "bytes": 2411724,
        "sha256": "0" * 64,
        "seed": 7,
        "style": "waves",
        "music": "calm.m4a",
        "clips": [{"name": "one.mp4", "at_s": 0.0, "duration_s": 15.0, "source_start_s": 0.5}],
        "loudness_lufs": -14.1,
        "true_peak_dbtp": -2.3,
        "render_s": 7.4,
    },
    "deliveries": [DELIVERY],
    "started_at": "2026-11-21T09:00:01.000+00:00",
    "finished_at": "2026-11-21T09:01:12.000+00:00",
}
_CANCELLED = WAITING | {"status": "cancelled", "queue_position": None, "estimated_time_remaining_s": 0.0}
_CANCELLED |= {"finished_at": "2026-11-21T09:00:08.500+00:00"}
_EVENT = {
    "id": 41,
    "type": "job.queued",
    "level": "info",
    "message": "The job waits to be made.",
    "payload": {},
    "timestamp": _AT,
}
_CALLBACK = {
    "id": "msg_2KWPBgLlAfxdpx2AI54pPJ85",
    "type": "job.done",
    "url": "https://n8n.example.org/webhook-waiting/8?...",
    "state": "done",
    "next_try_at": None,
    "created_at": _AT,
    "ended_at": _AT,
    "tries": [{"at": _AT, "status": 200, "message": "Taken.", "took_ms": 23}],
}

JOB_ID = Parameter("job_id", "path", "The job.", {"type": "string", "pattern": "^job_[a-z0-9]{20}$"}, _ID)
CURSOR = Parameter(
    "cursor",
    "query",
    "Where the page begins: taken from `next`.",
    {"type": "string", "pattern": "^[A-Za-f][A-Za-z0-9_-]{9}[AEIMQUYcgkosw048]$"},
    jobs.cursor(7),
)
LOCATION = {"Location": "The job's status."}

_STATUS = "|".join(Status)
_STATUSES = f"^({_STATUS})(,({_STATUS}))*$"


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


FONTS = Manual(
    "Library",
    "The families that `font` can name: those that lie here, and those of Google Fonts as they were last seen.",
    {
        200: Reply(
            "Those whose names begin with `q`, then those that hold it.",
            models.FontFamilies,
            {
                "items": [
                    {
                        "family": "Playfair Display",
                        "category": "serif",
                        "styles": ["400", "400i", "700", "900"],
                        "here": ["400", "400i", "700"],
                        "twin": None,
                    }
                ],
                "next": None,
            },
        )
    },
    parameters=(
        Parameter("q", "query", "Part of a name.", {"type": "string", "maxLength": 100}, "play"),
        Parameter("limit", "query", "How many; 100 by default.", _whole(1, fonts.MOST), 20),
    ),
    errors=(SpecError,),
)
STYLES = Manual(
    "Library",
    "The styles that `video.style` can name.",
    {200: Reply("All of them.", models.Styles, {"items": [{"name": "waves", "clips": 12}], "next": None})},
)
AUDIO = Manual(
    "Library",
    "The tracks that `audio.audio` can name.",
    {200: Reply("All of them.", models.Tracks, {"items": [{"name": "calm", "file": "calm.m4a"}], "next": None})},
)
GENERATE = Manual(
    "Films",
    "Ask for a film made of clips, texts, a signature, a logo and music. Every field has a default: `{}` is a valid "
    f"request. A body is JSON of at most {MAX_BODY_BYTES // 2**20} MB; an unknown field is an error.",
    {
        202: Reply(
            "The job is on disk and waits.",
            models.Job,
            WAITING,
            headers=LOCATION | {repeats.REPLAYED: "`true`: the request came before; this is its first answer again."},
        ),
        200: Reply(
            "With `dry_run=1`: what it would become. Nothing is queued.",
            models.DryRun,
            {
                "timeline": None,
                "estimate": {"render_s": 7.5, "waiting": 0},
                "warnings": ['The Timeline is not known yet: "one.mp4" was not looked at yet.'],
                "seed": 7,
            },
        ),
    },
    parameters=(
        Parameter(
            "dry_run",
            "query",
            "`1` checks the request, chooses clips and fonts, and answers with the Timeline; nothing is queued. "
            "60 a minute.",
            {"enum": ["0", "1", "true", "false"]},
            "1",
        ),
        Parameter(
            repeats.HEADER,
            "header",
            "Makes it safe to send the request again: the same key with the same body within 24 hours is the same job.",
            {"type": "string", "pattern": repeats.PATTERN},
            "flow-7-item-1",
        ),
    ),
    body=TemplateSpec,
    body_example=_SPEC,
    errors=(RepeatMismatch, TooManyRequests),
)
PREVIEW = Manual(
    "Films",
    "Look at one picture of a film without making it. The body is that of `POST /v1/generate`; nothing is queued and "
    "no job counts. It is drawn by the same steps as the film, beside whatever is being made. 120 a minute.",
    {
        200: Reply(
            "The picture, at the film's size; with `boxes=1` where every text, logo and signature lies.",
            models.Boxes,
            {
                "width": 1080,
                "height": 1920,
                "duration_s": 15.0,
                "second": 3.5,
                "seed": 0,
                "overlays": [
                    {
                        "kind": "text",
                        "box": {"x": 380, "y": 924, "w": 320, "h": 72},
                        "from_s": 0.0,
                        "to_s": 15.0,
                        "is_shown": True,
                        "text": "Hello World",
                        "lines": ["Hello World"],
                        "size_px": 60.0,
                        "fonts": ["Arimo-Regular.ttf"],
                        "missing": [],
                    }
                ],
                "warnings": [],
            },
            media_types=("image/png",),
            headers={
                preview.SEED: "Send it as `seed` to get this very film: yours, or 0.",
                preview.SECOND: "The second that is shown.",
            },
        )
    },
    parameters=(
        Parameter(
            "t",
            "query",
            "The second to show; by default the middle of the first text's time, or of the film.",
            {"type": "number", "minimum": 0, "maximum": 600},
            3.5,
        ),
        Parameter(
            "boxes",
            "query",
            "`1` answers with JSON: boxes, line breaks, sizes, fonts and missing glyphs.",
            {"enum": ["0", "1", "true", "false"]},
            "1",
        ),
    ),
    body=TemplateSpec,
    body_example=_SPEC,
    errors=(NotLookedAt, PreviewImpossible, PreviewBusy, PreviewFailed, TooManyRequests),
)
STATUS = Manual(
    "Jobs",
    "How a job is doing.",
    {200: Reply("The job.", models.Job, DONE)},
    parameters=(
        JOB_ID,
        Parameter(
            "wait",
            "query",
            f"Holds the answer until the job has ended or these seconds have passed, {LONGEST_WAIT_S:g} at most.",
            {"type": "number", "minimum": 0},
            30,
        ),
    ),
    errors=(UnknownJob, SpecError),
)
DOWNLOAD = Manual(
    "Jobs",
    "The finished film (`.mp4`) or its thumbnail (`.jpg`), whole or in ranges.",
    {
        200: Reply("The file.", media_types=("video/mp4", "image/jpeg"), headers={"ETag": "Names the content."}),
        206: Reply("Parts of it.", media_types=("video/mp4", "image/jpeg", "multipart/byteranges")),
        304: Reply("It is still what If-None-Match names."),
    },
    parameters=(
        Parameter(
            "name",
            "path",
            "The job's id with `.mp4` or `.jpg`.",
            {"type": "string", "pattern": r"^job_[a-z0-9]{20}\.(mp4|jpg)$"},
            f"{_ID}.mp4",
        ),
    ),
    errors=(UnknownJob, JobNotReady, JobGone, RangeNotSatisfiable),
)
JOBS = Manual(
    "Jobs",
    "The jobs of the key, the newest first.",
    {200: Reply("A page; `next` leads to the one after it.", models.Jobs, {"items": [DONE], "next": None})},
    parameters=(
        Parameter(
            "status", "query", "Only these; several with commas.", {"type": "string", "pattern": _STATUSES}, "done"
        ),
        Parameter("kind", "query", "Only this kind.", {"enum": list(KINDS)}, "template"),
        Parameter("limit", "query", "Jobs on a page.", _whole(1, jobs.MOST), 20),
        CURSOR,
    ),
    errors=(SpecError,),
)
CANCEL = Manual(
    "Jobs",
    "Cancel a job that waits or is being made; FFmpeg is gone soon after, and nothing partial stays.",
    {200: Reply("It is cancelled; once more is no error.", models.Job, _CANCELLED)},
    parameters=(JOB_ID,),
    errors=(UnknownJob, WrongState),
)
RETRY = Manual(
    "Jobs",
    "Try a failed job again. It counts against the key's limits as a new one does, and what was not yet told of its "
    "failure is not.",
    {202: Reply("It waits again.", models.Job, WAITING, headers=LOCATION)},
    parameters=(JOB_ID,),
    errors=(UnknownJob, WrongState),
)
EVENTS = Manual(
    "Jobs",
    "What happened to a job: a list, or with `Accept: text/event-stream` a stream that ends with the job.",
    {
        200: Reply(
            "Events after the one named; in a stream, `job.progress` events without an id stand between them.",
            models.Events,
            {"items": [_EVENT], "next": None},
            media_types=(events.STREAM_TYPE,),
        ),
        204: Reply("To a stream alone: the job has ended and nothing follows; a browser stops asking."),
    },
    parameters=(
        JOB_ID,
        Parameter(
            "after", "query", "Only later than this id.", {"type": "integer", "minimum": 0, "maximum": LARGEST}, 41
        ),
        Parameter("limit", "query", "How many.", _whole(1, events.MOST), 100),
        Parameter(
            "Last-Event-ID",
            "header",
            "As `after`, for streams: browsers send it by themselves. Any other text counts as 0.",
            {"type": "string"},
            "41",
        ),
    ),
    errors=(UnknownJob, SpecError),
)
CALLBACKS = Manual(
    "Jobs",
    "Who was told about a job, and what came of each try. The query of a URL is not shown, as it may be a secret.",
    {200: Reply("All of them, the oldest first.", models.Callbacks, {"items": [_CALLBACK], "next": None})},
    parameters=(JOB_ID,),
    errors=(UnknownJob, SpecError),
)
REDELIVER = Manual(
    "Jobs",
    "Send the callbacks about a job again, whatever came of them, once a minute at most. Their ids stay the same.",
    {202: Reply("They are due now.", models.Redelivered, {"job_id": _ID, "callbacks": 1})},
    parameters=(JOB_ID,),
    errors=(UnknownJob, NoCallbacks),
)
