"""Measures the picture behind texts over their whole time: small frames of the film's own graph, without overlays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from render import graph
from render.contrast import Backdrop, grey, linear
from render.ffmpeg import FFmpeg
from render.seen import Seen
from render.timeline import Box, Layer, Media, Timeline

# Each costs a seek and up to a key frame's distance of decoding.
_SAMPLES = 8
_SHARE = 8
_WALL_S = 120.0
# Of the px behind a text this share may be darker than what is called its darkest, and brighter than its brightest.
_OUTLIERS = 0.04


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame, `width` px wide, as the luminance (0..1) of each px, row by row."""

    frame: int
    width: int
    light: Sequence[float]


def sample(timeline: Timeline, layers: Sequence[Layer], ffmpeg: FFmpeg, seen: Seen | None = None) -> list[Sample]:
    """Look at the picture while any of the layers is shown, at an eighth of its size, where that was not `seen` before.

    Raises:
        FFmpegError, Cancelled: the picture cannot be had.
    """
    bare = replace(
        timeline,
        layers=tuple(layer for layer in timeline.layers if isinstance(layer.content, Media)),
        fade_in=0,
        fade_out=0,
    )
    width, height = (max(2, round(side / _SHARE)) for side in (timeline.width, timeline.height))
    found = []
    for frame in _frames(timeline, layers):
        known = seen and seen.path(graph.still_part(bare, frame), bare, f"{width} x {height}")
        raw = seen.read(known) if seen and known else b""
        if not raw:
            args = graph.still_args(graph.Lowered(bare), frame, 1, (width, height))
            raw = ffmpeg.capture(["-v", "error", *args, "-f", "rawvideo", "-"], wall_s=_WALL_S).stdout
        if len(raw) == 3 * width * height:  # less where a clip ends early, which the render tells of
            found.append(Sample(frame, width, _lights(raw)))
            if seen and known and not seen.use(known):
                seen.write(known, raw)
    return found


def backdrop(samples: Sequence[Sample], layer: Layer, box: Box) -> Backdrop | None:
    """What is behind a box of the canvas while a layer is shown; None where nothing was seen then."""
    shown = [one for one in samples if layer.start <= one.frame < layer.end]
    looks = [_look(one, box) for one in shown]
    if not looks:
        return None
    return Backdrop(min(a.dark for a in looks), max(a.bright for a in looks), max(a.uneven for a in looks))


def _frames(timeline: Timeline, layers: Sequence[Layer]) -> list[int]:
    """A few frames over the whole film, that all texts share; of a text between them its middle."""
    last = timeline.frames - 1
    common = {round(number * last / (_SAMPLES - 1)) for number in range(_SAMPLES)}
    wanted = set()
    for layer in layers:
        own = {frame for frame in common if layer.start <= frame < layer.end}
        wanted |= own or {min(layer.start + layer.frames // 2, last)}
    return sorted(wanted)


@cache
def _linear() -> list[float]:
    return [linear(value) for value in range(256)]


def _lights(raw: bytes) -> list[float]:
    table = _linear()
    red, green, blue = (raw[offset::3] for offset in range(3))
    return [0.2126 * table[r] + 0.7152 * table[g] + 0.0722 * table[b] for r, g, b in zip(red, green, blue, strict=True)]


def _look(one: Sample, box: Box) -> Backdrop:
    height = len(one.light) // one.width
    left, right = _span(box.x, box.w, one.width)
    top, bottom = _span(box.y, box.h, height)
    values = [one.light[row * one.width + x] for row in range(top, bottom) for x in range(left, right)]
    values.sort()
    edge = int(len(values) * _OUTLIERS)
    greys = [grey(value) for value in values]
    mean = sum(greys) / len(greys)
    uneven = (sum((value - mean) ** 2 for value in greys) / len(greys)) ** 0.5
    return Backdrop(greys[edge], greys[-1 - edge], uneven)


def _span(start: int, length: int, most: int) -> tuple[int, int]:
    """A stretch of px at a sample's size, at least one px of what there is."""
    first = min(max(start // _SHARE, 0), most - 1)
    return first, min(max(-(-(start + length) // _SHARE), first + 1), most)
