"""What is said to the process that makes stills, and what it answers. Light: whoever asks loads no picture code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from render.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Setup:
    """Which FFmpeg draws, in which folder, that is emptied at the start; who started this; how many seconds a
    request may take, and after how many without one the process ends."""

    executable: str
    folder: Path
    parent: int
    request_s: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """One frame of a Timeline, or with a `frame` of None where its overlays lie."""

    timeline: Timeline
    frame: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it: how many bytes follow, and warnings; or the `code` of an error, what to say of it, and what the
    log is to hold. `permanent`: the same request would end the same way."""

    size: int = 0
    warnings: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
    permanent: bool = False
    log: str = ""
