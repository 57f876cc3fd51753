"""The letters of a text that is set in lines, as one mask, and its emoji, as one picture; all or the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from PIL import Image, ImageDraw

from render.faces import ColorFont, Font, OutlineFont
from render.runs import Run
from render.typeset import Layout, Line, Type
from render.wrap import clusters


def count(layout: Layout) -> int:
    """How many letters, as a reader counts them, the lines have together."""
    return sum(len(clusters(line.words)) for line in layout.lines)


def mask(
    layout: Layout, size: tuple[int, int], frame: int, stroke_px: float = 0, shown: int | None = None
) -> Image.Image:
    """Coverage of the letters on a picture of that size, drawn as one so that overlaps do not count twice.

    `frame` is the room in px around the lines. With `shown` only that many letters are drawn, in reading order.
    """
    image = Image.new("L", size)
    pen = ImageDraw.Draw(image)
    for run, font, x, y in _placed(layout, frame, shown):
        if isinstance(font, OutlineFont):
            grown_px = stroke_px + font.bolder_px
            pen.text((x, y), run.words, fill=255, font=font.pillow, anchor="ls", direction=run.direction,
                     features=font.features, language=font.language, stroke_width=grown_px)  # fmt: skip
    return image


def pictures(layout: Layout, size: tuple[int, int], frame: int, shown: int | None = None) -> Image.Image | None:
    """The emoji on a picture of that size, RGBA; None where there are none."""
    image = None
    for run, font, x, y in _placed(layout, frame, shown):
        if isinstance(font, ColorFont):
            image = image or Image.new("RGBA", size)
            for glyph, left, top in font.pictures(run.words, run.direction):
                _put(image, glyph, round(x) + left, y + top)
    return image


def _put(image: Image.Image, glyph: Image.Image, x: int, y: int) -> None:
    """Lay a picture over another; what is outside is left out."""
    left, top = max(-x, 0), max(-y, 0)
    right, bottom = min(glyph.width, image.width - x), min(glyph.height, image.height - y)
    if left < right and top < bottom:
        image.alpha_composite(glyph, (x + left, y + top), (left, top, right, bottom))


def _placed(layout: Layout, frame: int, shown: int | None) -> Iterator[tuple[Run, Font, float, int]]:
    """Runs with their fonts, and where on the picture their baselines start."""
    for line, (left, y) in zip(layout.lines, layout.origins, strict=True):
        placed = line.runs
        if shown is not None:
            letters = clusters(line.words)
            placed = line.runs if shown >= len(letters) else _cut(line, len("".join(letters[:shown])), layout.type)
            shown = max(shown - len(letters), 0)
        for run, x in placed:
            yield run, layout.type.font(run.font), left + x - layout.left + frame, y - layout.top + frame


def _cut(line: Line, end: int, type_: Type) -> tuple[tuple[Run, float], ...]:
    """The runs of a line up to a character of it. What runs to the left keeps its right end."""
    cut: list[tuple[Run, float]] = []
    for run, x in line.runs:
        if run.start < end:
            first = replace(run, words=run.words[: end - run.start])
            moved = type_.length(run) - type_.length(first) if run.direction == "rtl" else 0.0
            cut.append((first, x + moved))
    return tuple(cut)
