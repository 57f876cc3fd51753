"""Gives texts that ask for it what they need to be read: nothing, a soft shadow, or a box behind them.

Decides before anything is drawn for the film, from the picture behind each text over its whole time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageChops, ImageFilter

from render.backdrop import backdrop, sample
from render.contrast import ENOUGH, Backdrop, Letters, cover_needed, seen, support
from render.ffmpeg import FFmpeg
from render.layout import Canvas
from render.seen import Seen
from render.text import draw
from render.timeline import Box, Layer, Rgba, Shadow, Text, TextBox, Timeline

# Where a picture is this uneven behind a text, as a standard deviation of grey values, a shadow would be one more thing
# to look at; and a shadow that covers more than this is a dark cloud.
_BUSY = 52.0
_DENSEST_SHADOW = 0.5
# In sizes of the text.
_BLUR, _RIM, _PADDING, _RADIUS = 0.12, 0.07, 0.38, 0.3
_DENSITY = 4.0


@dataclass(frozen=True, slots=True)
class Aid:
    """What was done for a text: the least contrast before and after, and what it got: "" (it needed nothing),
    "shadow" or "box"."""

    text: str
    before: float
    after: float
    got: str

    def sentence(self) -> str:
        """What to tell of it; empty where nothing was done and nothing is amiss."""
        words = " ".join(self.text.split())[:24]
        if self.got:
            what = f'The text "{words}" got a {self.got}: its contrast was {self.before:.1f} and is {self.after:.1f}.'
            return what if self.after >= ENOUGH else f"{what} More opacity or another colour would help."
        return "" if self.after >= ENOUGH else f'The text "{words}" has a contrast of {self.after:.1f} at its worst.'


def made_legible(
    timeline: Timeline, ffmpeg: FFmpeg, seen_before: Seen | None = None
) -> tuple[Timeline, dict[int, Aid]]:
    """The Timeline with what its texts need, and what that was, by the layer's place. Costs nothing where no text asks,
    and little where the picture was seen before.

    Raises:
        TextError: a text cannot be drawn.
        FFmpegError, Cancelled: the picture cannot be had.
    """
    asking = {
        place: layer
        for place, layer in enumerate(timeline.layers)
        if isinstance(layer.content, Text) and layer.content.legibility == "auto" and layer.opacity > 0
    }
    if not asking:
        return timeline, {}
    samples = sample(timeline, list(asking.values()), ffmpeg, seen_before)
    canvas = Canvas(timeline.width, timeline.height)
    layers, aids = list(timeline.layers), {}
    for place, layer in asking.items():
        assert isinstance(layer.content, Text)
        if (box := _box(layer, layer.content, canvas)) and (behind := backdrop(samples, layer, box)):
            text, aids[place] = _aided(layer.content, layer.opacity, behind)
            layers[place] = replace(layer, content=text)
    return replace(timeline, layers=tuple(layers)), aids


def sentences(aids: dict[int, Aid]) -> tuple[str, ...]:
    """What to tell of all of them."""
    return tuple(said for aid in aids.values() if (said := aid.sentence()))


def _box(layer: Layer, text: Text, canvas: Canvas) -> Box | None:
    drawn = draw(text)
    if not drawn.box.w or not drawn.box.h:
        return None
    x, y = canvas.top_left(layer.place, drawn.box.w, drawn.box.h)
    rim = round(text.size_px * _RIM)
    return Box(x - rim, y - rim, drawn.box.w + 2 * rim, drawn.box.h + 2 * rim)


def _aided(text: Text, opacity: float, behind: Backdrop) -> tuple[Text, Aid]:
    letters = Letters(text.gradient.colors if text.gradient else (text.color,), opacity)
    if text.box:
        return _with_box(text, letters, behind, text.box)
    has, before = _as_it_is(text, letters, behind)
    if before >= ENOUGH:
        return text, Aid(text.text, before, before, "")
    color = support(letters)
    cover = cover_needed(letters, behind, color)
    if behind.uneven <= _BUSY and cover <= _DENSEST_SHADOW and not has:
        shadow = Shadow(color, 0, 0, text.size_px * _BLUR, _DENSITY)
        if (alpha := cover / max(_coverage(text, shadow), 0.01)) <= 1:
            lit = replace(text, shadow=replace(shadow, color=(*color[:3], round(255 * alpha))))
            return lit, Aid(text.text, before, seen(letters, behind, color, cover), "shadow")
    plate = TextBox((*color[:3], 0), text.size_px * _PADDING, text.size_px * _RADIUS)
    return _with_box(text, letters, behind, plate)


def _as_it_is(text: Text, letters: Letters, behind: Backdrop) -> tuple[bool, float]:
    """Whether a text has an outline or shadow of its own, and its least contrast with that."""
    found = [seen(letters, behind, support(letters), 0)]
    if text.stroke and text.stroke.width_px >= text.size_px * _RIM / 3:
        found.append(seen(letters, behind, text.stroke.color, text.stroke.color[3] / 255))
    if text.shadow:
        share = _coverage(text, text.shadow) * text.shadow.color[3] / 255
        found.append(seen(letters, behind, text.shadow.color, share))
    return bool(text.stroke or text.shadow), max(found)


def _with_box(text: Text, letters: Letters, behind: Backdrop, box: TextBox) -> tuple[Text, Aid]:
    """Cover what is behind a text with a box, or more than its own does."""
    has = box.color[3] / 255
    before = seen(letters, behind, box.color, has)
    cover = cover_needed(letters, behind, box.color, has)
    if cover == has:
        return text, Aid(text.text, before, before, "")
    boxed = replace(text, box=replace(box, color=(*box.color[:3], round(255 * cover))))
    return boxed, Aid(text.text, before, seen(letters, behind, box.color, cover), "box")


def _coverage(text: Text, shadow: Shadow) -> float:
    """To what share (0..1) a shadow of full strength covers the rim around the letters, where it covers it least: the
    lowest tenth is left out, which are outer corners."""
    solid: Rgba = (*shadow.color[:3], 255)
    plain = replace(text, shadow=None, stroke=None, box=None, gradient=None, color=solid)
    glyphs = draw(plain)
    both = draw(replace(plain, shadow=replace(shadow, color=solid)))
    ink = Image.new("L", both.image.size)
    ink.paste(glyphs.image.getchannel("A"), (both.box.x - glyphs.box.x, both.box.y - glyphs.box.y))
    # The px next to the letters, which hold some of their colour, are no surroundings yet.
    inked = ink.point(lambda value: 255 if value else 0)
    reach = max(3, round(text.size_px * _RIM))
    near, touched = (inked.filter(ImageFilter.MaxFilter(2 * px + 1)) for px in (reach, 1))
    rim = ImageChops.subtract(near, touched)
    counts = both.image.getchannel("A").histogram(rim)
    left = sum(counts) / 10
    for value, count in enumerate(counts):
        left -= count
        if left < 0:
            return value / 255
    return 1.0
