"""What can go wrong between a spec and a file. Knows nothing of HTTP, jobs or retries.

RenderError
 ├── SpecError            the request cannot be understood; carries every problem at once
 ├── MediaError           a source file cannot be used (broken, no picture, unknown format)
 │    └── ClipEndedEarly  a clip holds less picture than it announced; carries its path
 ├── TextError            a text or picture cannot be drawn
 ├── NoClips              a style holds no clip that can be used
 ├── FFmpegError          FFmpeg was started and did not deliver
 │    ├── FFmpegFailed    it ended with an error: a verdict on what it was given
 │    ├── FFmpegLost      it could not be started or was killed: no verdict on anything
 │    │    └── FFmpegOutOfMemory  there was not enough memory for it
 │    ├── NoSpace         there was no space left to write to
 │    ├── FFmpegStalled   it made no progress for too long
 │    └── FFmpegTimeout   it ran longer than its wall-clock limit
 ├── VerifyError          a finished file is not what the Timeline promised
 └── Cancelled            the caller asked to stop; nothing partial is left
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field: its path (`text_overlays[0].font_size`), a sentence that says what to do, the type it had."""

    field: str
    message: str
    value_type: str


class RenderError(Exception):
    """Base of all errors of this package. `code` is stable and public; `permanent`: trying again is no use."""

    code = "render_failed"
    permanent = True


class SpecError(RenderError):
    """The request cannot be understood. `problems` holds every wrong field."""

    code = "invalid_spec"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in self.problems))


class MediaError(RenderError):
    """A source file cannot be used."""

    code = "bad_media"


class ClipEndedEarly(MediaError):
    """A clip holds less picture than it announced, which showed only in the render. `tail`: as FFmpegError's."""

    def __init__(self, path: Path, tail: str = "") -> None:
        self.path = path
        self.tail = tail
        super().__init__(f"{path.name} ended before its time; the file is damaged")


class TextError(RenderError):
    """A text or picture cannot be drawn."""

    code = "bad_text"


class NoClips(RenderError):
    """A style holds no clip that can be used."""

    code = "no_clips"


class FFmpegError(RenderError):
    """FFmpeg did not deliver. `tail` holds its last lines: for the log, never for an answer."""

    code = "ffmpeg_failed"
    permanent = False

    def __init__(self, message: str, tail: str = "") -> None:
        self.tail = tail
        super().__init__(message)


class FFmpegFailed(FFmpegError):
    """FFmpeg ended with an error, which is a verdict on what it was given."""


class FFmpegLost(FFmpegError):
    """FFmpeg, or what looks at its frames, could not be started or was killed, which says nothing about any file."""

    code = "ffmpeg_lost"


class FFmpegOutOfMemory(FFmpegLost):
    """FFmpeg was killed for want of memory, or came to the limit of what it may have."""

    code = "out_of_memory"


class NoSpace(FFmpegError):
    """There was no space left to write to."""

    code = "no_space"


class FFmpegStalled(FFmpegError):
    """FFmpeg made no progress for too long."""

    code = "ffmpeg_stalled"


class FFmpegTimeout(FFmpegError):
    """FFmpeg ran longer than its wall-clock limit."""

    code = "ffmpeg_timeout"


class VerifyError(RenderError):
    """A finished file is not what the Timeline promised."""

    code = "verify_failed"
    permanent = False


class Cancelled(RenderError):
    """The caller asked to stop."""

    code = "cancelled"
    permanent = False
