"""Opens font files: which code points they draw, and at a size how wide and where their ink is.

Outlines are Pillow's, colour pictures HarfBuzz's: Pillow draws none that can be scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from pathlib import Path
from typing import Protocol

import uharfbuzz
from PIL import Image, ImageFont

from render.bidi import Direction
from render.runs import Coverage, Language

Ink = tuple[int, int, int, int]

# Room on both sides of a picture that fills its width, in em.
_AIR_EM = 0.05
# What a letter of a regular font grows on every side where it stands among bold ones, in em.
_BOLDER_EM = 0.02
_BOLD, _REGULAR = 600, 500
# Letters that are set apart do not melt together.
_APART = ["-liga", "-clig"]


class Font(Protocol):
    """A font at one size. Ink is left, top, right, bottom in px from where the baseline starts."""

    def length(self, words: str, direction: Direction) -> float:
        """Width in px, to 1/64."""

    def ink(self, words: str, direction: Direction) -> Ink:
        """What is painted."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the fonts of one text draw: whose forms of letters, without ligatures, and whether the first is bold."""

    language: Language | None = None
    apart: bool = False
    bold: bool = False


def open_font(path: Path, size_px: float, manner: Manner) -> Font:
    """Open a font file at a size.

    Raises:
        OSError: it cannot be used.
    """
    if coverage(path).color:
        return ColorFont(path, size_px)
    return OutlineFont(path, size_px, manner)


def is_bold(path: Path) -> bool:
    """Whether a font is heavy enough for a regular one to look thin beside it."""
    return _weight(path) >= _BOLD


def _weight(path: Path) -> int:
    """The weight class of table OS/2 (OpenType specification); 400 where a font has none."""
    return int.from_bytes(bytes(_face(path).reference_table("OS/2").data[4:6]), "big") or 400


def coverage(path: Path) -> Coverage:
    """What a font file can draw.

    Raises:
        OSError: it cannot be read.
    """
    return _coverage(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _coverage(path: Path, mtime_ns: int) -> Coverage:
    face = _face(path)
    return Coverage(face.unicodes, face.has_color_paint or face.has_color_layers)


def _face(path: Path) -> uharfbuzz.Face:
    try:
        return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path))
    except uharfbuzz.HarfBuzzError as exc:
        raise OSError(str(exc)) from exc


class OutlineFont:
    """A font of letters, drawn in any colour."""

    def __init__(self, path: Path, size_px: float, manner: Manner = Manner()) -> None:
        # Not by `ImageFont.truetype`, which takes a namesake from the system where a file cannot be read.
        self.pillow = ImageFont.FreeTypeFont(path, size_px, layout_engine=ImageFont.Layout.RAQM)
        self.language = manner.language
        self.features = _APART if manner.apart else None
        self.bolder_px = _BOLDER_EM * size_px if manner.bold and _weight(path) <= _REGULAR else 0.0

    def length(self, words: str, direction: Direction) -> float:
        """Width in px, to 1/64."""
        return self.pillow.getlength(words, direction=direction, features=self.features, language=self.language)

    def ink(self, words: str, direction: Direction) -> Ink:
        """What is painted."""
        left, top, right, bottom = self.pillow.getbbox(
            words,
            direction=direction,
            features=self.features,
            language=self.language,
            stroke_width=self.bolder_px,
            anchor="ls",
        )
        return floor(left), floor(top), ceil(right), ceil(bottom)


class ColorFont:
    """A font of pictures that keep their colours: layers of one colour each (COLR 0) or of gradients (COLR 1)."""

    def __init__(self, path: Path, size_px: float) -> None:
        face = _face(path)
        self._font = uharfbuzz.Font(face)
        self._scale = size_px / face.upem
        self._air = _AIR_EM * size_px

    def length(self, words: str, direction: Direction) -> float:
        """Width in px."""
        return self._set(words, direction)[1]

    def ink(self, words: str, direction: Direction) -> Ink:
        """The boxes of the pictures, which hold what is painted."""
        boxes = [(x, self._box(glyph)) for x, glyph in self._set(words, direction)[0]]
        seen = [(floor(x + left), top, ceil(x + right), bottom) for x, (left, top, right, bottom) in boxes]
        if not seen:
            return 0, 0, 0, 0
        lefts, tops, rights, bottoms = zip(*seen, strict=True)
        return min(lefts), floor(min(tops)), max(rights), ceil(max(bottoms))

    def pictures(self, words: str, direction: Direction) -> Iterator[tuple[Image.Image, int, int]]:
        """Each picture, RGBA with straight alpha, and where its upper left corner is."""
        paint = uharfbuzz.RasterPaint()
        for x, glyph in self._set(words, direction)[0]:
            paint.reset()
            paint.transform = self._scale, 0, 0, self._scale, 0, 0
            extents = self._font.get_glyph_extents(glyph)
            if extents is None or not paint.set_glyph_extents(extents):
                continue
            paint.paint_glyph(self._font, glyph)
            painted = paint.render()
            if painted is None or not painted.extents.width or not painted.extents.height:
                continue
            at = painted.extents
            image = Image.frombuffer("RGBa", (at.width, at.height), painted.buffer, "raw", "BGRa", at.stride, -1)
            yield image.convert("RGBA"), round(x) + at.x_origin, -at.y_origin - at.height

    def _set(self, words: str, direction: Direction) -> tuple[list[tuple[float, int]], float]:
        """Glyphs with where they start, from left to right, and the width of all."""
        buffer = uharfbuzz.Buffer()
        buffer.add_str(words)
        buffer.guess_segment_properties()
        buffer.direction = direction
        uharfbuzz.shape(self._font, buffer)
        found: list[tuple[float, int]] = []
        at = 0.0
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            width = position.x_advance * self._scale
            left, _, right, _ = self._box(info.codepoint)
            air = max(0.0, self._air - (width - right + left) / 2) if right > left else 0.0
            if right > left:
                found.append((at + air, info.codepoint))
            at += width + 2 * air
        return found, at

    def _box(self, glyph: int) -> tuple[float, float, float, float]:
        box = self._font.get_glyph_extents(glyph)
        if box is None:
            return 0, 0, 0, 0
        left, top = box.x_bearing * self._scale, -box.y_bearing * self._scale
        return left, top, left + box.width * self._scale, top - box.height * self._scale
