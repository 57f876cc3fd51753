"""Sets a text in lines: measures, wraps, finds the size that fits. Paints nothing."""

from __future__ import annotations

import importlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import ceil, floor
from pathlib import Path
from unicodedata import normalize

from PIL import ImageFont, features

from render.errors import TextError
from render.timeline import Text
from render.wrap import SPACES, Direction, Paragraph, clean, clusters, invisible, paragraph

_MOST_NARROWINGS = 4
_SHARE = {"start": 0.0, "center": 0.5, "end": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one line, their width in px, and their ink (left, top, right, bottom) from the start of the baseline."""

    words: str
    direction: Direction
    advance: float
    ink: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines and where their baselines start, in px. `whole` says that no word was broken.

    The block of lines starts at 0, 0; ink that hangs over it makes `left` and `top` negative, and `width` and `height`
    larger than the block.
    """

    type: Type
    lines: tuple[Line, ...]
    origins: tuple[tuple[int, int], ...]
    left: int
    top: int
    width: int
    height: int
    whole: bool

    def fits(self, room: tuple[int, int]) -> bool:
        """Whether all of it, ink included, goes into a width and height."""
        return self.width <= room[0] and self.height <= room[1]


class Ruler:
    """Widths of words in em, remembered. A font's advances grow with its size, so they serve every size, nearly."""

    _SIZE_PX = 1000

    def __init__(self, path: Path) -> None:
        self._font = _font(path, self._SIZE_PX)
        self._widths: dict[tuple[str, Direction], float] = {}

    def width_em(self, words: str, direction: Direction) -> float:
        """Width of some words, without the blanks at their end when they are given without."""
        key = words, direction
        if key not in self._widths:
            self._widths[key] = self._font.getlength(words, direction=direction) / self._SIZE_PX
        return self._widths[key]


class Type:
    """A font at one size."""

    def __init__(self, text: Text, size_px: float, ruler: Ruler) -> None:
        self.font = _font(text.font, size_px)
        self.path = text.font
        self.size_px = size_px
        self.pitch_px = text.line_height * size_px
        self.align = text.align
        self._ruler = ruler

    def guess(self, words: str, direction: Direction) -> float:
        """Width in px but for rounding and hinting: cheap, to find out where a line may end."""
        return self._ruler.width_em(words, direction) * self.size_px

    def advance(self, words: str, direction: Direction) -> float:
        """Width in px, to 1/64."""
        return self.font.getlength(words, direction=direction)

    def line(self, words: str, direction: Direction) -> Line:
        """Measure a line with its ink."""
        left, top, right, bottom = self.font.getbbox(words, direction=direction, anchor="ls")
        ink = floor(left), floor(top), ceil(right), ceil(bottom)
        return Line(words, direction, self.advance(words, direction), ink)


def _font(path: Path, size_px: float) -> ImageFont.FreeTypeFont:
    """Open a font. Not by `ImageFont.truetype`, which takes a namesake from the system where a file cannot be read."""
    return ImageFont.FreeTypeFont(path, size_px, layout_engine=ImageFont.Layout.RAQM)


def typeset(text: Text, room: tuple[int, int]) -> Layout | None:
    """Lines at the largest size at which they fit into `room`, a width and height in px, to half a px.

    Words are broken only where they fit whole at no size. Where nothing fits, it is the smallest size with as many
    lines as do, the last of them with an ellipsis; a single glyph may then still be too large. None where there is
    nothing to see.

    Raises:
        OSError: the font cannot be used.
        TextError: this Pillow cannot shape text.
    """
    if not features.check("raqm"):
        raise TextError("this build of Pillow comes without raqm and cannot shape text")
    words = clean(text.text)
    if not words:
        return None
    paragraphs = [paragraph(line) for line in words.split("\n")]
    ruler = Ruler(text.font)

    def at(size_px: float) -> Layout:
        return _lay_out(Type(text, size_px, ruler), paragraphs, room)

    largest = max(text.size_px, text.max_size_px)
    smallest = min(text.min_size_px, largest)
    best = at(largest)
    if best.fits(room) and best.whole:
        return best
    least = at(smallest)
    if best.fits(room) and not least.whole:
        return best
    if not least.fits(room):
        return _cut(least, room)
    low, high, best = floor(smallest * 2), ceil(largest * 2), least
    while high - low > 1:
        middle = (low + high) // 2
        layout = at(middle / 2)
        if layout.fits(room) and layout.whole >= least.whole:
            low, best = middle, layout
        else:
            high = middle
    return best


def missing(text: str, path: Path) -> tuple[str, ...]:
    """Characters of a cleaned text without a glyph. One that can be composed counts as there: HarfBuzz does so."""
    coverage = _coverage(path, path.stat().st_mtime_ns)
    if coverage is None:
        return ()

    def drawn(char: str) -> bool:
        return char == "\n" or invisible(char) or ord(char) in coverage

    return tuple(
        char for char in dict.fromkeys(text) if not drawn(char) and not all(map(drawn, normalize("NFD", char)))
    )


@lru_cache(maxsize=16)
def _coverage(path: Path, mtime_ns: int) -> frozenset[int] | None:
    """The code points that a font file has glyphs for; None where that cannot be told."""
    try:
        tt_lib = importlib.import_module("fontTools.ttLib")
        with open(path, "rb") as file, tt_lib.TTFont(file, lazy=True, fontNumber=0) as font:
            return frozenset(font.getBestCmap() or ())
    except Exception:  # FreeType draws files that fontTools cannot read, and they make it raise nearly anything.
        return None


def _lay_out(type_: Type, paragraphs: Sequence[Paragraph], room: tuple[int, int]) -> Layout:
    """Wrap and place, in a little less width for as long as ink hangs over the edge."""
    width_px = room[0]
    layout = _wrapped(type_, paragraphs, width_px, room[1])
    for _ in range(_MOST_NARROWINGS):
        if not 0 < layout.width - room[0] <= type_.size_px:
            break
        width_px -= layout.width - room[0]
        layout = _wrapped(type_, paragraphs, width_px, room[1])
    return layout


def _wrapped(type_: Type, paragraphs: Sequence[Paragraph], room_px: int, height_px: int) -> Layout:
    """All lines, or one more than there is height for: the others would not be seen."""

    def fits(unit: str, direction: Direction) -> bool:
        return type_.guess(unit.rstrip(SPACES), direction) <= room_px

    enough = max(1, floor(height_px / type_.pitch_px)) + 1
    whole = all(fits(unit, part.direction) for part in paragraphs for unit in part.units)
    lines: list[Line] = []
    for part in paragraphs:
        pieces = [piece for unit in part.units for piece in ([unit] if fits(unit, part.direction) else clusters(unit))]
        filled = islice(_filled(type_, pieces, part.direction, room_px), enough - len(lines))
        lines += (type_.line(words, part.direction) for words in filled)
    return _placed(type_, lines, whole)


def _filled(type_: Type, pieces: Sequence[str], direction: Direction, room_px: int) -> Iterator[str]:
    """Put as many pieces on each line as go there, at least one.

    The sum of widths misses kerning and joined letters between pieces, so each line is measured once as a whole.
    """
    start = 0
    while start < len(pieces):
        end, sum_px = start, 0.0
        while end < len(pieces) and sum_px + type_.guess(pieces[end].rstrip(SPACES), direction) <= room_px:
            sum_px += type_.guess(pieces[end], direction)
            end += 1
        end = max(end, start + 1)
        line = "".join(pieces[start:end]).strip(SPACES)
        while end > start + 1 and (px := type_.advance(line, direction)) > room_px:
            end = max(start + 1, min(end - 1, start + int((end - start) * max(room_px, 0) / px)))
            line = "".join(pieces[start:end]).strip(SPACES)
        yield line
        start = end
    if not pieces:
        yield ""


def _placed(type_: Type, lines: Sequence[Line], whole: bool) -> Layout:
    """Set lines one below the other as CSS does: ascent and descent are centred in a line's height."""
    ascent, descent = type_.font.getmetrics()
    widest = max(line.advance for line in lines)
    share = _SHARE[type_.align]
    origins = tuple(
        (round(share * (widest - line.advance)), round((number + 0.5) * type_.pitch_px + (ascent - descent) / 2))
        for number, line in enumerate(lines)
    )
    placed = [(line.ink, x, y) for line, (x, y) in zip(lines, origins, strict=True)]
    left = min(0, *(x + ink[0] for ink, x, _ in placed))
    top = min(0, *(y + ink[1] for ink, _, y in placed))
    right = max(ceil(widest), *(x + ink[2] for ink, x, _ in placed))
    bottom = max(ceil(len(lines) * type_.pitch_px), *(y + ink[3] for ink, _, y in placed))
    return Layout(type_, tuple(lines), origins, left, top, right - left, bottom - top, whole)


def _cut(layout: Layout, room: tuple[int, int]) -> Layout:
    """Keep the lines that there is room for, the last of them with an ellipsis."""
    type_, height = layout.type, room[1]
    cut = layout
    while cut.height > room[1] and (count := max(1, floor(height / type_.pitch_px))) < len(cut.lines):
        cut = _placed(type_, _ended(layout.lines[:count], type_, room[0]), layout.whole)
        height -= max(cut.height - room[1], 0)
    return cut


def _ended(lines: Sequence[Line], type_: Type, room_px: int) -> list[Line]:
    """End the last line that has words with an ellipsis, which takes the place of what it needs."""
    last = max(number for number, line in enumerate(lines) if line.words or not number)
    direction, letters = lines[last].direction, clusters(lines[last].words)
    dots = "..." if missing("…", type_.path) else "…"

    def shortened(count: int) -> str:
        return "".join(letters[:count]).rstrip(SPACES) + dots

    # Widths in 1/64 px, for the search wants whole numbers.
    count = bisect_right(
        range(1, len(letters) + 1), room_px * 64, key=lambda n: ceil(type_.advance(shortened(n), direction) * 64)
    )
    return [*lines[:last], type_.line(shortened(count), direction)]
