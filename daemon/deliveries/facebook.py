"""Publishes films on Facebook pages: as Reels where a film is one, else as ordinary videos. Knows neither rows nor
retries.

The video's id is on the disk before its first byte, and nothing is public before `finish`. So what came of a finish
that nobody heard the end of can be asked: the video's own status says whether publishing has begun.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.deliveries.setbacks import DeliveryError, NeedsHuman, Passing, Refused, Throttled, Unclear
from daemon.deliveries.target import Keep, Later, Parcel, Seen
from daemon.facebook import uploads
from daemon.facebook.graph import Credential, Graph
from daemon.facebook.meaning import Forbidden, NotUsable
from daemon.facebook.status import VideoStatus
from daemon.store.tables import utc_now

REELS_A_DAY = 30
SETTLE_S = 120.0
# What a Reel may be (Meta, "Reels Publishing"): anything else is published as an ordinary video.
_REEL_SECONDS = (3.0, 90.0)
_REEL_FPS = (23.0, 61.0)
_REEL_SHAPE = (0.5, 0.6)  # width by height, around 9:16
_REEL_LEAST_WIDTH, _REEL_LEAST_HEIGHT = 540, 960
# What Facebook itself schedules; not on the page of the protocol, so well inside of what is known from use.
_SOONEST = timedelta(minutes=20)
_KEEP_EVERY_S = 5.0
_LOOK_EVERY_S = 2.0
_MOST_LOOKS = 30
_ASK_AGAIN_S = 10.0
_MOST_ASKING_S = 3600.0


def is_reel(result: Mapping[str, Any]) -> bool:
    """Whether a film, by its job's result, may be a Reel."""
    width, height = float(result.get("width", 0)), float(result.get("height", 0))
    seconds, fps = float(result.get("duration_s", 0)), float(result.get("fps", 0))
    return (
        _REEL_SECONDS[0] <= seconds <= _REEL_SECONDS[1]
        and _REEL_FPS[0] <= fps <= _REEL_FPS[1]
        and width >= _REEL_LEAST_WIDTH
        and height >= _REEL_LEAST_HEIGHT
        and _REEL_SHAPE[0] <= width / height <= _REEL_SHAPE[1]
    )


@dataclass(frozen=True, slots=True)
class Facebook:
    """The target. `graph` makes what calls are made with."""

    graph: Callable[[], Graph]
    settle_s: float = SETTLE_S
    ask_again_s: float = _ASK_AGAIN_S
    clock: Callable[[], datetime] = utc_now

    def open(self, parcel: Parcel, remote: Mapping[str, Any]) -> FacebookSession:
        """Take a delivery up where it is."""
        kinds = {"reel": ReelSession, "video": VideoSession}
        kind = remote.get("as") or ("reel" if _wants_reel(parcel) else "video")
        return kinds[kind](parcel, {**remote, "as": kind}, self.graph(), self.ask_again_s, self.clock)

    def most_a_day(self, parcel: Parcel) -> int:
        """30 Reels a page in any 24 hours; of ordinary videos no limit is documented."""
        return REELS_A_DAY if _wants_reel(parcel) else 0


def _wants_reel(parcel: Parcel) -> bool:
    chosen = parcel.spec.get("kind", "auto")
    return is_reel(parcel.result) if chosen == "auto" else chosen == "reel"


class FacebookSession(ABC):
    """What Reels and videos have in common: everything but how bytes get there and what the order looks like."""

    def __init__(
        self,
        parcel: Parcel,
        remote: dict[str, Any],
        graph: Graph,
        ask_again_s: float,
        clock: Callable[[], datetime],
    ) -> None:
        self.remote = remote
        self._parcel = parcel
        self._graph = graph
        self._ask_again_s = ask_again_s
        self._clock = clock
        self._page_id = parcel.account.remote_id
        self._credential = Credential(parcel.secrets.get("token", ""), parcel.secrets.get("app_secret", ""))
        self._kept_at = 0.0

    @property
    def pause_s(self) -> float:
        return self._graph.pause_s

    def prepare(self, keep: Keep) -> None:
        """See `Session.prepare`."""
        if not self.remote.get("uploaded"):
            self._prepare(keep)
        self._wait_for_its_time()

    def _prepare(self, keep: Keep) -> None:
        if not self.remote.get("video_id"):
            self._start()
            keep(self.remote)
        try:
            self._upload(keep)
            self._wait_for_upload()
        except Refused as exc:
            # What was begun may be too old; the film itself is refused again.
            self._begin_anew(keep)
            raise Passing(f"{exc} The upload is begun anew.", exc.code, 5) from None
        except Passing as exc:
            if exc.most_tries:
                self._begin_anew(keep)
            raise
        self.remote["uploaded"] = True
        keep(self.remote)

    def send(self, now: datetime) -> None:
        """See `Session.send`."""
        try:
            answer = self._finish(self._order(now))
        except NotUsable:
            self.remote = {"as": self.remote["as"]}
            raise
        except Passing as exc:
            raise Unclear(str(exc), exc.code) from exc  # its own failure, in the middle of it
        if answer.get("post_id"):
            self.remote["post_id"] = str(answer["post_id"])
        elif answer.get("success") is not True and str(answer.get("video_id")) != str(self.remote["video_id"]):
            raise Unclear("Facebook did not say that it has taken the order.", "facebook_no_success")

    def probe(self) -> Seen:
        """See `Session.probe`."""
        try:
            status = self._status()
        except Refused:  # the video is not there any more: somebody may have removed it after it was published
            return Seen.CANNOT_TELL
        if status.is_failed or self._is_out(status):  # of what has failed, `finalize` says why
            return Seen.PUBLISHED
        return Seen.NOTHING if status.is_untouched else Seen.NOT_YET

    def finalize(self, keep: Keep) -> Later | tuple[str, ...]:
        """See `Session.finalize`."""
        if "notes" not in self.remote:
            self.remote = {**self.remote, "notes": self._extras(), "since": self._clock().timestamp()}
            keep(self.remote)
        notes = tuple(self.remote["notes"])
        try:
            status = self._status()
        except Refused as exc:  # it was taken: were this a failure, another try would publish it once more
            return (*notes, f"Facebook has taken the film, and does not show it any more: {exc}")
        if status.is_failed:
            raise Refused(f"Facebook could not process the film: {status.problem}", "facebook_processing")
        self.remote["link"] = self._link(status)
        if self._is_out(status) and (status.is_processed or self.remote.get("scheduled")):
            return notes
        if self._clock().timestamp() - float(self.remote["since"]) > _MOST_ASKING_S:
            return (*notes, "Facebook has taken the film and is still processing it")
        return Later(self._ask_again_s)

    def _keep_at_times(self, keep: Keep) -> None:
        """Say that somebody is at it, while bytes are on their way."""
        if time.monotonic() - self._kept_at >= _KEEP_EVERY_S:
            self._kept_at = time.monotonic()
            keep(self.remote)

    def _is_out(self, status: VideoStatus) -> bool:
        return status.is_published or (status.is_draft and self._parcel.spec.get("state") == "draft")

    def _begin_anew(self, keep: Keep) -> None:
        self.remote = {"as": self.remote["as"]}
        keep(self.remote)

    @abstractmethod
    def _start(self) -> None:
        """Begin an upload."""

    @abstractmethod
    def _upload(self, keep: Keep) -> None:
        """Send the film's bytes, from where they are."""

    @abstractmethod
    def _finish(self, order: dict[str, str]) -> dict[str, Any]:
        """Give the order to publish."""

    @abstractmethod
    def _order(self, now: datetime) -> dict[str, str]:
        """What the order says."""

    def _wait_for_upload(self) -> None:
        """Wait until Facebook has the whole file: an order that comes earlier is refused (error 6000)."""
        for _ in range(_MOST_LOOKS):
            status = self._status()
            if status.is_failed:
                raise Passing(f"Facebook could not use the upload: {status.problem}", "facebook_upload", 5)
            if status.is_uploaded:
                return
            time.sleep(min(_LOOK_EVERY_S, self._ask_again_s))
        raise Passing("Facebook has not confirmed the upload yet.", "facebook_upload_pending")

    def _status(self) -> VideoStatus:
        return uploads.status(self._graph, self._credential, str(self.remote.get("video_id", "")))

    def _extras(self) -> list[str]:
        """The cover and the captions. Without them a published film is a published film all the same."""
        spec, video_id, far = self._parcel.spec, str(self.remote["video_id"]), (self._graph, self._credential)
        warnings = []
        if spec.get("cover", True) and self._parcel.thumbnail.is_file():
            picture = self._parcel.thumbnail.read_bytes()
            warnings += _extra("cover", lambda: uploads.set_cover(*far, video_id, picture))
        if captions := spec.get("captions"):
            srt, locale = str(captions["srt"]).encode(), str(captions["locale"])
            warnings += _extra("captions", lambda: uploads.set_captions(*far, video_id, srt, locale))
        return warnings

    def _scheduled(self, now: datetime) -> datetime | None:
        """When Facebook itself is to publish it; None: now."""
        at = self._asked_for()
        return at if at is not None and at >= now + _SOONEST else None

    def _asked_for(self) -> datetime | None:
        """The time that Facebook was to wait for."""
        spec = self._parcel.spec
        if not spec.get("at") or spec.get("scheduled_by") != "facebook":
            return None
        return datetime.fromisoformat(spec["at"]).astimezone(UTC)

    def _wait_for_its_time(self) -> None:
        """Wait here for what the film came too late for Facebook to wait for."""
        at, now = self._asked_for(), self._clock()
        if at is not None and now < at < now + _SOONEST:
            words = "It is too late for Facebook to wait for the time of this film; it waits here."
            raise Throttled(words, "waits_for_its_time", (at - now).total_seconds(), account=False)

    def _link(self, status: VideoStatus) -> str:
        if status.link.startswith("https://"):
            return status.link
        if status.link.startswith("/"):
            return f"https://www.facebook.com{status.link}"
        kind = "reel" if self.remote["as"] == "reel" else "watch"
        return f"https://www.facebook.com/{kind}/" + (
            str(self.remote["video_id"]) if kind == "reel" else f"?v={self.remote['video_id']}"
        )


class ReelSession(FacebookSession):
    """A Reel: begun, uploaded in one piece that can be resumed, finished."""

    def _start(self) -> None:
        video_id, url = self._reels().start()
        self.remote |= {"video_id": video_id, "upload_url": url, "sent_bytes": 0}

    def _upload(self, keep: Keep) -> None:
        offset = 0
        if self.remote.get("sent_bytes"):
            status = self._status()
            if status.is_uploaded:
                return
            offset = min(status.uploaded, self._parcel.film.stat().st_size)

        def on_piece(sent: int) -> None:
            self.remote["sent_bytes"] = sent
            self._keep_at_times(keep)

        self.remote["sent_bytes"] = max(1, offset)
        keep(self.remote)
        self._kept_at = time.monotonic()
        self._reels().upload(str(self.remote["upload_url"]), self._parcel.film, offset, on_piece)

    def _order(self, now: datetime) -> dict[str, str]:
        spec = self._parcel.spec
        order = {"video_state": "DRAFT" if spec.get("state") == "draft" else "PUBLISHED"}
        if at := self._scheduled(now):
            order = {"video_state": "SCHEDULED", "scheduled_publish_time": str(int(at.timestamp()))}
            self.remote["scheduled"] = True
        return order | _words(spec)

    def _finish(self, order: dict[str, str]) -> dict[str, Any]:
        return self._reels().finish(str(self.remote["video_id"]), **order)

    def _reels(self) -> uploads.Reels:
        return uploads.Reels(self._graph, self._page_id, self._credential)


class VideoSession(FacebookSession):
    """An ordinary video: begun, transferred chunk by chunk, finished."""

    def _start(self) -> None:
        video_id, session = self._videos().start(self._parcel.film.stat().st_size)
        self.remote |= {"video_id": video_id, "session": session}

    def _upload(self, keep: Keep) -> None:
        def on_chunk(session: dict[str, str]) -> None:
            self.remote["session"] = session
            keep(self.remote)

        def on_piece() -> None:
            self._keep_at_times(keep)

        self._videos().transfer(self.remote["session"], self._parcel.film, on_chunk, on_piece)

    def _wait_for_upload(self) -> None:
        """The last chunk's answer has confirmed all of it."""

    def _order(self, now: datetime) -> dict[str, str]:
        spec = self._parcel.spec
        order = {"published": "false" if spec.get("state") == "draft" else "true"}
        if at := self._scheduled(now):
            order = {"published": "false", "scheduled_publish_time": str(int(at.timestamp()))}
            self.remote["scheduled"] = True
        return order | _words(spec)

    def _finish(self, order: dict[str, str]) -> dict[str, Any]:
        return self._videos().finish(str(self.remote["session"]["upload_session_id"]), **order)

    def _videos(self) -> uploads.Videos:
        return uploads.Videos(self._graph, self._page_id, self._credential)


def _extra(name: str, do: Callable[[], None]) -> list[str]:
    try:
        do()
    except Forbidden as exc:
        return [f"published without its {name}: {exc}"]
    except (NeedsHuman, Throttled):
        raise
    except DeliveryError as exc:
        return [f"published without its {name}: {exc}"]
    return []


def _words(spec: Mapping[str, Any]) -> dict[str, str]:
    """Title and description, the hashtags after it."""
    tags = " ".join(f"#{tag}" for tag in spec.get("hashtags") or ())
    description = "\n\n".join(part for part in (spec.get("description") or "", tags) if part)
    return {name: text for name, text in (("title", spec.get("title") or ""), ("description", description)) if text}
