"""Where the overlays of a Timeline lie on its canvas, and how its texts were set: what a layout is checked by."""

from __future__ import annotations

from dataclasses import dataclass

from render.layout import Canvas
from render.text import draw, picture, room_of
from render.timeline import Box, Layer, Picture, Text, Timeline
from render.typeset import typeset


@dataclass(frozen=True, slots=True)
class Setting:
    """How a text was set: its lines in the order in which they are read, the size in px of the output, file names of
    the fonts that drew it, and the characters that none of them has."""

    text: str
    lines: tuple[str, ...]
    size_px: float
    fonts: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """An overlay: `box` is what margins and alignment go by, in px of the output, without a shadow; it is there from
    `from_s` until `to_s`. `setting` is None for a picture."""

    kind: str
    box: Box
    from_s: float
    to_s: float
    setting: Setting | None = None


def spots(timeline: Timeline) -> tuple[Spot, ...]:
    """Every text and picture, the lowest first.

    Raises:
        TextError: one cannot be drawn.
    """
    canvas = Canvas(timeline.width, timeline.height)
    rate = float(timeline.rate)
    found: list[Spot] = []
    for layer in timeline.layers:
        if (measured := _measured(layer)) is None:
            continue
        width, height, setting = measured
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
