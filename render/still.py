"""One frame of a Timeline as a picture, through the same lowering and the same graph as the film. Knows no process and
no request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from render import graph
from render.atlas import lower
from render.errors import MediaError
from render.executor import limits_of
from render.ffmpeg import FFmpeg
from render.legibility import made_legible, sentences
from render.seen import Seen
from render.smooth import smoothed_at
from render.timeline import Media, Timeline

# Of a decoder that starts at a key frame some seconds away, on an eighth of a core.
WALL_S = 20.0
_THREADS = 2
# Time counts here and size does not: a fifth of the time for a third more bytes.
_PNG = ("-c:v", "png", "-pred", "sub", "-compression_level", "1", "-f", "image2pipe", "-")


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as PNG, and what was drawn otherwise than asked."""

    png: bytes
    warnings: tuple[str, ...]


def still(timeline: Timeline, frame: int, workdir: Path, ffmpeg: FFmpeg, seen: Seen | None = None) -> Still:
    """Make the frame `frame`, from 0 up to the film's frames. `workdir` holds what is drawn for it; grounds that were
    `seen` before are not decoded again.

    It is the film's own frame, except that the source frame under it may be one off where the source's frames do not
    lie at whole multiples of its frame time.

    Raises:
        TextError, MediaError: an overlay cannot be drawn, a clip ends before its time.
        FFmpegError, Cancelled: the run did not deliver.
    """
    timeline, aids = made_legible(_at(timeline, frame), ffmpeg, seen)
    file = _ground_file(timeline, frame, seen) if seen else None
    if not (file and file.is_there):
        timeline = smoothed_at(timeline, frame, workdir, ffmpeg)
    lowered, warnings = lower(timeline, workdir, frame)
    limits = limits_of(timeline, _THREADS, WALL_S)
    args = [*graph.still_args(lowered, frame, _THREADS, file=file), *_PNG]
    writes = seen.folder if seen else None
    png = ffmpeg.capture(["-v", "error", "-y", *args], wall_s=WALL_S, limits=limits, writes=writes).stdout
    if not png:
        raise MediaError("a clip ends before this second; the file is damaged")
    if seen and file and not file.is_there:
        seen.keep(file.path)
    return Still(png, sentences(aids) + warnings)


def _ground_file(timeline: Timeline, frame: int, seen: Seen) -> graph.GroundFile:
    path = seen.path(graph.still_part(timeline, frame), timeline, "ground")
    return graph.GroundFile(path, True) if seen.use(path) else graph.GroundFile(seen.unfinished(path), False)


def _at(timeline: Timeline, frame: int) -> Timeline:
    """Without the overlays that are not there at that frame: drawing them would be for nothing."""
    layers = (
        layer for layer in timeline.layers if isinstance(layer.content, Media) or layer.start <= frame < layer.end
    )
    return replace(timeline, layers=tuple(layers))
