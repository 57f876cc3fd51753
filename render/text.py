"""Draws words and pictures with Pillow. The only place that paints glyphs; knows nothing of time, canvas or FFmpeg."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from render.errors import TextError
from render.gradient import ramp
from render.letters import count, mask, pictures
from render.runs import missing
from render.timeline import Box, Rgba, Shadow, Text, TextBox
from render.typeset import Layout, typeset
from render.wrap import clean

_FORMATS = ("PNG", "JPEG", "WEBP")
_MOST_PIXELS = 24_000_000
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# Pillow looks at a picture's size before it decodes anything. What it would only warn of is an error here, set for the
# whole process: a filter that is put back afterwards is not safe beside other threads.
Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A text as a picture.

    `image` is RGBA with straight alpha and holds all that is painted, at least 1 x 1 px. `box` is the part of it that
    counts for alignment and margins: lines, overhanging ink, stroke and padding, but no shadow. `missing` are the
    characters that no font of the text has a glyph for. `typed` draws the picture, as large and with every letter in
    its place, with a share (0 to 1) of the letters, the first in reading order.
    """

    image: Image.Image
    box: Box
    size_px: float
    lines: int
    missing: tuple[str, ...]
    typed: Callable[[float], Image.Image]


def draw(text: Text) -> Drawn:
    """Draw a text.

    The picture's `box` never exceeds `max_width_px` x `max_height_px`: where a text is too long even at its smallest
    size, its end gives way to an ellipsis, and what is then still too large (one glyph) is cut off at the edge. A
    text of nothing but blanks gives a transparent pixel and an empty box.

    Raises:
        TextError: the font cannot be used, or the picture would be larger than 24 megapixels.
    """
    try:
        layout = typeset(text, room_of(text))
        if layout is None:
            nothing = Image.new("RGBA", (1, 1), (*text.color[:3], 0))
            return Drawn(nothing, Box(0, 0, 0, 0), text.size_px, 0, (), lambda share: nothing)
        painting = _Painting(text, layout)
        absent = missing(clean(text.text), layout.type.chain.coverages)
    except (OSError, ValueError, ArithmeticError, MemoryError, *_BOMBS) as exc:
        raise TextError(f"the text cannot be drawn with {_names(text)}: {exc}") from exc
    size_px, lines = layout.type.size_px, len(layout.lines)
    return Drawn(painting.whole(), painting.box, size_px, lines, absent, painting.part)


def room_of(text: Text) -> tuple[int, int]:
    """Width and height in px that are left for the lines of a text."""
    frame = 2 * _frame(text)
    return max(text.max_width_px - frame, 1), max(text.max_height_px - frame, 1)


def picture(path: Path, longest_px: int | None = None) -> Image.Image:
    """Open a PNG, JPEG or WebP picture as upright RGBA with straight alpha, its longer side `longest_px` px long.

    Of an animation it is the first frame.

    Raises:
        TextError: it is missing, broken, of another type, or larger than 24 megapixels.
    """
    try:
        with Image.open(path, formats=_FORMATS) as source:
            _check_size(*source.size)
            image = _rgba(ImageOps.exif_transpose(source))
    except TextError:
        raise
    except _BOMBS as exc:
        raise TextError(f"the picture {path.name} is too large") from exc
    except Exception as exc:  # A broken file makes decoders raise nearly anything.
        raise TextError(f"the picture {path.name} cannot be read as PNG, JPEG or WebP") from exc
    return bleed(_scaled(image, longest_px))


def bleed(image: Image.Image) -> Image.Image:
    """Give every pixel of an RGBA picture whose alpha is 0 the colour of what is painted near it.

    FFmpeg halves the resolution of colour but not of alpha, so the colour behind alpha 0 shows at edges.
    """
    alpha = image.getchannel("A")
    spread = image.copy()
    spread.putalpha(_solid(alpha))
    radius = 1
    while (reached := spread.getchannel("A")).getextrema() == (0, 255):
        near = spread.convert("RGBa").filter(ImageFilter.BoxBlur(radius)).convert("RGBA")
        near.putalpha(_solid(near.getchannel("A")))
        spread = Image.composite(spread, near, reached)
        radius *= 2
    spread.putalpha(alpha)
    return spread


def _solid(alpha: Image.Image) -> Image.Image:
    return alpha.point([0] + [255] * 255)


def _check_size(width: int, height: int) -> None:
    if width * height > _MOST_PIXELS:
        limit = _MOST_PIXELS // 1_000_000
        raise TextError(f"a picture of {width} x {height} px is too large, {limit} megapixels are allowed")


def _rgba(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bit grey, which Pillow would clip instead of scale.
        image = image.point(lambda value: value * (1 / 257)).convert("L")
    return image.convert("RGBA")


def _scaled(image: Image.Image, longest_px: int | None) -> Image.Image:
    """Scale by the longer side. Pillow itself resizes RGBA on premultiplied alpha."""
    if longest_px is None or longest_px == max(image.size):
        return image
    scale = longest_px / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    _check_size(width, height)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _names(text: Text) -> str:
    return ", ".join(path.name for path in text.fonts)


def _frame(text: Text) -> int:
    """Px on each side of the lines that padding and stroke take."""
    return ceil(text.box.padding_px if text.box else 0) + ceil(text.stroke.width_px if text.stroke else 0)


class _Painting:
    """A text that is set in lines, while it is painted: with all of its letters, or with the first of them."""

    def __init__(self, text: Text, layout: Layout) -> None:
        self._text, self._layout = text, layout
        self._frame = _frame(text)
        self._has_emoji = False
        width = max(min(layout.width + 2 * self._frame, text.max_width_px), 1)
        height = max(min(layout.height + 2 * self._frame, text.max_height_px), 1)
        self._size = width, height
        _check_size(*self._size)
        left, top, right, bottom = self._reach = _reach(text.shadow, self._size)
        _check_size(right - left, bottom - top)
        self._inked = mask(layout, self._size, self._frame).getbbox() if text.gradient else None
        self._edges = 0, 0, right - left, bottom - top

    @property
    def box(self) -> Box:
        """Where on the picture the text is, without its shadow."""
        return Box(-self._reach[0] - self._edges[0], -self._reach[1] - self._edges[1], *self._size)

    def whole(self) -> Image.Image:
        """The picture of all letters. What a shadow might have reached and did not is left out, from now on."""
        image, (left, top) = self._painted(None), self._reach[:2]
        seen = image.getchannel("A").getbbox() or (-left, -top, -left, -top)
        right, bottom = self._size[0] - left, self._size[1] - top
        self._edges = min(seen[0], -left), min(seen[1], -top), max(seen[2], right), max(seen[3], bottom)
        return self._finished(image)

    def part(self, share: float) -> Image.Image:
        """The picture, as large, with a share (0 to 1) of the letters, the first in reading order."""
        return self._finished(self._painted(int(share * count(self._layout))))

    def _finished(self, image: Image.Image) -> Image.Image:
        """Cut to its edges. Letters of one colour have that colour behind alpha 0, too; all else has to get it."""
        is_plain = not (self._text.box or self._text.shadow or self._has_emoji)
        return image if is_plain else bleed(image.crop(self._edges))

    def _painted(self, shown: int | None) -> Image.Image:
        """Bottom up: box, shadow, glyphs with their stroke. All but the shadow is cut off at the room's edge."""
        text, (left, top, right, bottom) = self._text, self._reach
        glyphs, outline = self._glyphs(shown)
        if not text.box and not text.shadow:
            return glyphs
        image = Image.new("RGBA", (right - left, bottom - top))
        if text.box:
            image.paste(_tinted(_plate(self._size, text.box), text.box.color), (-left, -top))
        if text.shadow:
            image.alpha_composite(_cast(text.shadow, outline, image.size, (-left, -top)))
        image.alpha_composite(glyphs, (-left, -top))
        return image

    def _glyphs(self, shown: int | None) -> tuple[Image.Image, Image.Image]:
        """Letters and emoji in colour, and what of the picture they cover."""
        text, layout, size, frame = self._text, self._layout, self._size, self._frame
        fill = mask(layout, size, frame, 0, shown)
        outline = mask(layout, size, frame, text.stroke.width_px, shown) if text.stroke else fill
        glyphs = _colored(text, self._ink(), fill, outline)
        if (emoji := pictures(layout, size, frame, shown)) is not None:
            self._has_emoji = True
            outline = ImageChops.lighter(outline, emoji.getchannel("A"))
            emoji.putalpha(_dimmed(emoji.getchannel("A"), text.color[3]))
            glyphs.alpha_composite(emoji)
        return glyphs, outline

    def _ink(self) -> Image.Image:
        """The colour of letters at every px, as if they covered all of it."""
        if self._text.gradient is None:
            return Image.new("RGBA", self._size, self._text.color)
        return ramp(self._text.gradient, self._size, self._inked or (0, 0, *self._size))


def _colored(text: Text, ink: Image.Image, fill: Image.Image, outline: Image.Image) -> Image.Image:
    """Fill and stroke side by side: under a half-transparent fill there is no stroke.

    At an edge between them both cover a part of the px, m and 1 - m. Their mean is weighted with what each of them
    adds to alpha, which depends on m alone, so it is a table.
    """
    alpha = ImageChops.multiply(fill, ink.getchannel("A")) if text.gradient else _dimmed(fill, text.color[3])
    if not text.stroke:
        image = ink.copy()
        image.putalpha(alpha)
        return image
    inner, outer = _opacity(text), text.stroke.color[3]
    weights = [round(255 * m * inner / max(m * inner + (255 - m) * outer, 1)) for m in range(256)]
    edge = Image.new("RGB", fill.size, text.stroke.color[:3])
    image = Image.composite(ink.convert("RGB"), edge, fill.point(weights)).convert("RGBA")
    image.putalpha(Image.composite(ink.getchannel("A"), _dimmed(outline, outer), fill))
    return image


def _opacity(text: Text) -> int:
    return max(color[3] for color in text.gradient.colors) if text.gradient else text.color[3]


def _tinted(mask: Image.Image, color: Rgba) -> Image.Image:
    image = Image.new("RGBA", mask.size, color)
    image.putalpha(_dimmed(mask, color[3]))
    return image


def _dimmed(mask: Image.Image, alpha: int) -> Image.Image:
    return mask.point([round(value * alpha / 255) for value in range(256)])


def _reach(shadow: Shadow | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The rectangle around a text's box and its shadow, relative to the box. A Gaussian ends after 3 deviations."""
    if not shadow:
        return 0, 0, *size
    x, y, soft = round(shadow.dx_px), round(shadow.dy_px), ceil(3 * shadow.blur_px)
    return min(0, x - soft), min(0, y - soft), max(size[0], size[0] + x + soft), max(size[1], size[1] + y + soft)


def _cast(shadow: Shadow, outline: Image.Image, size: tuple[int, int], at: tuple[int, int]) -> Image.Image:
    """The shadow of glyphs whose box lies at `at` in a picture of that size."""
    mask = Image.new("L", size)
    mask.paste(outline, (at[0] + round(shadow.dx_px), at[1] + round(shadow.dy_px)))
    soft = mask.filter(ImageFilter.GaussianBlur(shadow.blur_px))
    if shadow.density != 1:
        soft = soft.point([min(255, round(value * shadow.density)) for value in range(256)])
    return _tinted(soft, shadow.color)


def _plate(size: tuple[int, int], box: TextBox) -> Image.Image:
    """Coverage of a rounded rectangle: one corner drawn eight times as large, and its mirror pictures."""
    plate = Image.new("L", size, 255)
    radius = min(box.radius_px, size[0] / 2, size[1] / 2)
    side = ceil(radius)
    if radius >= 0.5:
        corner = Image.new("L", (side * 8, side * 8))
        ImageDraw.Draw(corner).ellipse((0, 0, radius * 16 - 1, radius * 16 - 1), fill=255)
        corner = corner.reduce(8)
        flipped = ImageOps.flip(corner)
        right, bottom = size[0] - side, size[1] - side
        plate.paste(corner, (0, 0))
        plate.paste(flipped, (0, bottom))
        plate.paste(ImageOps.mirror(corner), (right, 0))
        plate.paste(ImageOps.mirror(flipped), (right, bottom))
    return plate
