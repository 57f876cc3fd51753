"""Sets a text in lines: measures, wraps, finds the size that fits. Paints nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil, floor

from PIL import features

from render.bidi import Direction
from render.errors import TextError
from render.faces import Font, Ink, Manner, OutlineFont, coverage, is_bold, open_font
from render.runs import Run, is_simple, language, missing, runs
from render.timeline import Text
from render.wrap import SPACES, Paragraph, clean, clusters, paragraph

_MOST_NARROWINGS = 4
_SHARE = {"start": 0.0, "center": 0.5, "end": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one line, their width in px, and their ink (left, top, right, bottom) from the start of the baseline.

    `runs` are what is painted, each with the px at which it starts.
    """

    words: str
    direction: Direction
    advance: float
    ink: Ink
    runs: tuple[tuple[Run, float], ...]


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


class Chain:
    """The fonts of one text, and how its lines are cut into runs of them; remembers both."""

    def __init__(self, text: Text, words: str) -> None:
        self._paths = text.fonts
        self._apart = bool(text.letter_spacing_px)
        is_heavy = len(text.fonts) > 1 and is_bold(text.fonts[0])
        self._manner = Manner(language(words), self._apart, is_heavy)
        self._runs: dict[tuple[str, Direction], tuple[Run, ...]] = {}
        self.coverages = tuple(coverage(path) for path in text.fonts)
        self._simple = not self._apart and is_simple(words, self.coverages)

    def runs(self, words: str, direction: Direction) -> tuple[Run, ...]:
        """Runs of a line, from left to right."""
        if self._simple:
            return (Run(words, 0, "ltr"),)
        key = words, direction
        if key not in self._runs:
            self._runs[key] = runs(words, direction, self.coverages, self._apart)
        return self._runs[key]

    def font(self, place: int, size_px: float) -> Font:
        """One of the fonts at a size."""
        return open_font(self._paths[place], size_px, self._manner)


class Ruler:
    """Widths of words in em, remembered. A font's advances grow with its size, so they serve every size, nearly."""

    _SIZE_PX = 1000

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._fonts: dict[int, Font] = {}
        self._widths: dict[tuple[str, Direction], tuple[float, int]] = {}

    def width_em(self, words: str, direction: Direction) -> tuple[float, int]:
        """Width of some words, without the blanks at their end when they are given without; and how many runs."""
        key = words, direction
        if key not in self._widths:
            parts = self._chain.runs(words, direction)
            px = sum(self._font(run.font).length(run.words, run.direction) for run in parts)
            self._widths[key] = px / self._SIZE_PX, len(parts)
        return self._widths[key]

    def _font(self, place: int) -> Font:
        if place not in self._fonts:
            self._fonts[place] = self._chain.font(place, self._SIZE_PX)
        return self._fonts[place]


class Type:
    """A chain of fonts at one size."""

    def __init__(self, text: Text, size_px: float, chain: Chain, ruler: Ruler) -> None:
        self.size_px = size_px
        self.pitch_px = text.line_height * size_px
        self.align = text.align
        self.chain = chain
        self._spacing_px = text.letter_spacing_px
        self._ruler = ruler
        self._fonts: dict[int, Font] = {}
        self._lengths: dict[tuple[str, int, Direction], float] = {}
        self._inks: dict[tuple[str, int, Direction], Ink] = {}

    @property
    def metrics(self) -> tuple[int, int]:
        """Ascent and descent of the first font that has letters, in px."""
        letters = (self.font(place) for place in range(len(self.chain.coverages)))
        first = next((font for font in letters if isinstance(font, OutlineFont)), None)
        return first.pillow.getmetrics() if first else (round(self.size_px), 0)

    def font(self, place: int) -> Font:
        """One of the fonts."""
        if place not in self._fonts:
            self._fonts[place] = self.chain.font(place, self.size_px)
        return self._fonts[place]

    def guess(self, words: str, direction: Direction) -> float:
        """Width in px but for rounding and hinting: cheap, to find out where a line may end."""
        em, count = self._ruler.width_em(words, direction)
        return em * self.size_px + count * self._spacing_px

    def advance(self, words: str, direction: Direction) -> float:
        """Width in px, to 1/64."""
        return self._set(words, direction)[1]

    def line(self, words: str, direction: Direction) -> Line:
        """Measure a line with its ink."""
        placed, advance = self._set(words, direction)
        inks = [(x, self._ink(run)) for run, x in placed]
        ink = (
            min((floor(x + ink[0]) for x, ink in inks), default=0),
            min((ink[1] for _, ink in inks), default=0),
            max((ceil(x + ink[2]) for x, ink in inks), default=0),
            max((ink[3] for _, ink in inks), default=0),
        )
        return Line(words, direction, advance, ink, placed)

    def _set(self, words: str, direction: Direction) -> tuple[tuple[tuple[Run, float], ...], float]:
        """Runs with where they start, and the end of the last."""
        placed: list[tuple[Run, float]] = []
        end = 0.0
        for run in self.chain.runs(words, direction):
            if placed:
                end += self._spacing_px + self._kerning(placed[-1][0], run)
            placed.append((run, end))
            end += self.length(run)
        return tuple(placed), end

    def length(self, run: Run) -> float:
        """Width of a run in px, to 1/64."""
        key = run.words, run.font, run.direction
        if key not in self._lengths:
            self._lengths[key] = self.font(run.font).length(run.words, run.direction)
        return self._lengths[key]

    def _ink(self, run: Run) -> Ink:
        key = run.words, run.font, run.direction
        if key not in self._inks:
            self._inks[key] = self.font(run.font).ink(run.words, run.direction)
        return self._inks[key]

    def _kerning(self, before: Run, after: Run) -> float:
        """What two runs that were set apart are nearer than the sum of their widths, in px."""
        if not self._spacing_px or before.direction != "ltr" or (before.font, "ltr") != (after.font, after.direction):
            return 0.0
        both = Run(before.words + after.words, before.font, "ltr")
        return self.length(both) - self.length(before) - self.length(after)


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
    chain = Chain(text, words)
    ruler = Ruler(chain)

    def at(size_px: float) -> Layout:
        return _lay_out(Type(text, size_px, chain, ruler), paragraphs, room)

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
    ascent, descent = type_.metrics
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
    dots = "..." if missing("…", type_.chain.coverages) else "…"

    def shortened(count: int) -> str:
        return "".join(letters[:count]).rstrip(SPACES) + dots

    # Widths in 1/64 px, for the search wants whole numbers.
    count = bisect_right(
        range(1, len(letters) + 1), room_px * 64, key=lambda n: ceil(type_.advance(shortened(n), direction) * 64)
    )
    return [*lines[:last], type_.line(shortened(count), direction)]
