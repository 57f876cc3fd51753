"""Where the overlays of a Timeline lie on its canvas, and how its texts were set: what a layout is checked by."""

from __future__ import annotations

from dataclasses import dataclass, replace

from render.ffmpeg import FFmpeg
from render.layout import Canvas
from render.legibility import made_legible
from render.seen import Seen
from render.text import draw, picture, room_of
from render.timeline import Box, Layer, Picture, Text, Timeline
from render.typeset import typeset


@dataclass(frozen=True, slots=True)
class Setting:
    """How a text was set: its lines in the order in which they are read, the size in px of the output, file names of
    the fonts that drew it, and the characters that none of them has. Where it asked to be made legible: its least
    contrast, and what it got for that (`shadow`, `box` or nothing)."""

    text: str
    lines: tuple[str, ...]
    size_px: float
    fonts: tuple[str, ...]
    missing: tuple[str, ...]
    contrast: float | None = None
    got: str | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """An overlay: `box` is what margins and alignment go by, in px of the output, without a shadow; it is there from
    `from_s` until `to_s`. `setting` is None for a picture."""

    kind: str
    box: Box
    from_s: float
    to_s: float
    setting: Setting | None = None


def spots(timeline: Timeline, ffmpeg: FFmpeg, seen: Seen | None = None) -> tuple[Spot, ...]:
    """Every text and picture, the lowest first.

    Raises:
        TextError: one cannot be drawn.
        FFmpegError, Cancelled: the picture behind one cannot be had.
    """
    timeline, aids = made_legible(timeline, ffmpeg, seen)
    canvas = Canvas(timeline.width, timeline.height)
    rate = float(timeline.rate)
    found: list[Spot] = []
    for place, layer in enumerate(timeline.layers):
        if (measured := _measured(layer)) is None:
            continue
        width, height, setting = measured
        if setting and (aid := aids.get(place)):
            setting = replace(setting, contrast=round(aid.after, 1), got=aid.got)
        x, y = canvas.top_left(layer.place, width, height)
        kind = "text" if setting else "picture"
        times = round(layer.start / rate, 3), round(layer.end / rate, 3)
        found.append(Spot(kind, Box(x, y, width, height), *times, setting))
    return tuple(found)


def _measured(layer: Layer) -> tuple[int, int, Setting | None] | None:
    content = layer.content
    if isinstance(content, Picture):
        image = picture(content.path, content.longest_px)
        return image.width, image.height, None
    if not isinstance(content, Text):
        return None
    drawn = draw(content)
    return drawn.box.w, drawn.box.h, _setting(content, drawn.size_px, drawn.missing)


def _setting(text: Text, size_px: float, missing: tuple[str, ...]) -> Setting:
    layout = typeset(text, room_of(text))
    lines = layout.lines if layout else ()
    used = dict.fromkeys(run.font for line in lines for run, _ in line.runs)
    fonts = tuple(text.fonts[place].name for place in used)
    return Setting(text.text, tuple(line.words for line in lines), size_px, fonts, missing)
