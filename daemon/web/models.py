"""The shapes of answers, for the documentation and for the tests that hold answers to it. Nothing is computed here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from daemon.deliveries.life import State
from daemon.jobs import Status

JobId = Annotated[str, Field(pattern="^job_[a-z0-9]{20}$")]
Url = Annotated[str, Field(pattern="^https?://")]


class Shape(BaseModel):
    """Base of all answers: members are those that are listed."""

    model_config = ConfigDict(extra="forbid")


class JobError(Shape):
    """Why a job failed."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For a person.")
    permanent: bool = Field(description="Trying again is no use.")


class Result(Shape):
    """The finished film. Beside these members stand those of its kind, such as the clips that were chosen."""

    model_config = ConfigDict(extra="allow")

    download_url: Url = Field(description="The film; asks for the key.")
    thumbnail_url: Url = Field(description="A picture of the film; asks for the key.")
    signed_download_url: Url | None = Field(description="The film for who has no key, until its time is over.")
    signed_thumbnail_url: Url | None = Field(description="The same for the picture.")
    signed_until: AwareDatetime | None = Field(description="When they end; this answer again has new ones.")
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bytes: int | None = None
    sha256: str | None = None
    seed: int | None = Field(None, description="Chose clips, offsets and music; the same one gives the same film.")
    render_s: float | None = None
    loudness_lufs: float | None = Field(
        None, description="Measured on the finished film: integrated loudness (ITU-R BS.1770); null: it is silent."
    )
    true_peak_dbtp: float | None = Field(None, description="Measured likewise: the highest peak, in dB of full scale.")


class DeliveryError(Shape):
    """Why a delivery has not got on."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For a person.")
    permanent: bool = Field(description="Trying again is no use.")


class Delivery(Shape):
    """A film on its way to where it is published."""

    delivery_id: Annotated[str, Field(pattern="^dlv_[a-z0-9]{20}$")]
    job_id: JobId
    target: str = Field(description="The kind of far side, such as `facebook`.")
    account: str = Field(description="The page's name; empty where it is not known any more.")
    state: State = Field(
        description="`waiting` for its film, `ready` to go out, `held` until the account can be used, `sending`, "
        "`accepted` by the far side; `done`, `failed` and `cancelled` are ends. `unknown`: somebody has to look."
    )
    at: AwareDatetime = Field(description="When it may go out.")
    next_try_at: AwareDatetime | None
    link: Url | None = Field(description="Where it is published.")
    tries: int = Field(description="Setbacks in a row.")
    error: DeliveryError | None
    warnings: list[str]
    ended_at: AwareDatetime | None


class Deliveries(Shape):
    """One page of deliveries, the newest first."""

    items: list[Delivery]
    next: Url | None = Field(description="The next page, or null.")


class Job(Shape):
    """A job as submit, status, the list and callbacks show it."""

    job_id: JobId
    status: Status
    progress: Annotated[int, Field(ge=0, le=100)]
    queue_position: int | None = Field(description="1 is next; null when it does not wait, and in lists.")
    estimated_time_remaining_s: float | None = Field(description="Learned from the films before; null: not known.")
    stage: str = Field(description="What is being done while it is rendering.")
    error: JobError | None
    result: Result | None
    warnings: list[str]
    deliveries: list[Delivery] = Field(description="Where the request publishes it, and how that goes.")
    client_data: Any = Field(description="What the request said, unchanged.")
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    status_url: Url
    download_url: Url


class Jobs(Shape):
    """One page of jobs, the newest first."""

    items: list[Job]
    next: Url | None = Field(description="The next page, or null.")


class Event(Shape):
    """One thing that happened to a job."""

    id: int
    type: str = Field(description="`job.queued`, `job.started`, `job.stage`, `job.done` and so on.")
    level: Literal["info", "warning", "error"]
    message: str
    payload: dict[str, Any]
    timestamp: AwareDatetime


class Events(Shape):
    """Events of a job, the oldest first."""

    items: list[Event]
    next: Url | None = Field(description="Where to ask for more, or null when these are all so far.")


class CallbackTry(Shape):
    """One attempt to tell somebody about a job."""

    at: AwareDatetime
    status: int | None = Field(description="Of the answer; null where there was none.")
    message: str
    took_ms: int


class Callback(Shape):
    """What is told about a job, to whom, and how that went."""

    id: str = Field(description="The `webhook-id` that the receiver sees, the same on every try.")
    type: str = Field(description="`job.done`, `job.failed` or `job.cancelled`.")
    url: str = Field(description="Without its query, which may be a secret.")
    state: Literal["ready", "sending", "done", "failed", "superseded"] = Field(
        description="`superseded`: not delivered before the job was tried again, which will tell of its end anew."
    )
    next_try_at: AwareDatetime | None
    created_at: AwareDatetime
    ended_at: AwareDatetime | None
    tries: list[CallbackTry]


class Callbacks(Shape):
    """Everything that is told about a job."""

    items: list[Callback]
    next: None


class Redelivered(Shape):
    """What is sent again."""

    job_id: JobId
    callbacks: int = Field(description="How many.")


class Estimate(Shape):
    """What a film would take."""

    render_s: float = Field(description="Seconds of rendering, learned from the films before.")
    waiting: int = Field(description="Jobs that wait now and would come before it.")


class DryRun(Shape):
    """What a request would become."""

    timeline: dict[str, Any] | None = Field(description="The film in frames; null where it is not known, see warnings.")
    estimate: Estimate
    warnings: list[str]
    seed: int = Field(description="Send it as `seed` to get this very film.")


class Rectangle(Shape):
    """px of the output, from the upper left corner."""

    x: int
    y: int
    w: int
    h: int


class Overlay(Shape):
    """A text or picture of a film. What follows `is_shown` is there for texts only."""

    kind: Literal["text", "picture"]
    box: Rectangle = Field(description="What margins and alignment go by: a text with its outline and box.")
    from_s: float
    to_s: float
    is_shown: bool = Field(description="Whether it is there at the second that was asked for.")
    text: str | None = None
    lines: list[str] | None = Field(None, description="The text as it was broken into lines.")
    size_px: float | None = Field(None, description="The size that was chosen, in px of the output.")
    fonts: list[str] | None = Field(None, description="Files of the fonts that drew it.")
    missing: list[str] | None = Field(None, description="Characters that none of them has a glyph for.")
    contrast: float | None = Field(None, description="With `legibility: auto`: the least over its whole time.")
    got: str | None = Field(None, description="With `legibility: auto`: `shadow`, `box`, or nothing.")


class Boxes(Shape):
    """Where the overlays of a film lie, the lowest first."""

    width: int
    height: int
    duration_s: float
    second: float
    seed: int = Field(description="Send it as `seed` to get this very film.")
    overlays: list[Overlay]
    warnings: list[str]


class Style(Shape):
    """A folder of the clip library."""

    name: str
    clips: int


class Styles(Shape):
    """The styles that can be asked for."""

    items: list[Style]
    next: None


class Track(Shape):
    """A track of the library."""

    name: str
    file: str


class Tracks(Shape):
    """The tracks that can be asked for."""

    items: list[Track]
    next: None


class FontFamily(Shape):
    """A family that `font` can name."""

    family: str
    category: str | None = Field(description="As Google Fonts has it; null where it is not known.")
    styles: list[str] = Field(description="Weights; an `i` is italic. Others give the nearest of these.")
    here: list[str] = Field(description="Those that lie here; the others are fetched when a film needs them.")
    twin: str | None = Field(description="For a well-known name that is not free: the family used in its place.")


class FontFamilies(Shape):
    """Families that can be asked for."""

    items: list[FontFamily]
    next: None


class Index(Shape):
    """What this is and where to look next."""

    service: Literal["vix"]
    version: str
    health_url: Url


class Summary(Shape):
    """How the service does, flat and small: for sensors."""

    status: Literal["ok", "degraded", "failing"] = Field(description="As in `/health`.")
    message: str = Field(description="What is wrong first; empty where nothing is.")
    version: str
    queued: int | None
    rendering: int
    delivering: int = Field(description="Films on their way to where they are published.")
    last_job_id: JobId | None = Field(description="The key's newest finished film.")
    last_finished_at: AwareDatetime | None
    last_download_url: Url | None = Field(description="Asks for the key.")
    token_days_left: float | None = Field(description="Until the first token ends; null where none does.")
    next_run_at: AwareDatetime | None = Field(description="The next slot of the key's schedules.")


class WrongField(Shape):
    """One field that is wrong."""

    field: str = Field(description="Its path, such as `text_overlays[0].font_size`.")
    message: str
    value_type: str = Field(description="The JSON type of what was sent.")


class Problem(Shape):
    """What went wrong: the members of RFC 9457, and `message`, the one sentence to act on."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:vix:error:` and a stable code.")
    title: str
    status: int
    detail: str
    instance: str
    message: str
    errors: list[WrongField] | None = Field(None, description="With 422: every wrong field.")
    job_status: Status | None = Field(None, description="With 409: the status that the job has.")
    delivery_state: State | None = Field(None, description="With 409: the state that the delivery has.")


class Free(BaseModel):
    """Any object."""

    model_config = ConfigDict(extra="allow")
