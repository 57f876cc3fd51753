"""Lowers a Timeline: draws its texts and pictures once and packs them into one picture file.

One file means one decoder, however many overlays a film has. Cells start at even px with even sides, because colour is
stored at half resolution; an overlay that belongs at an odd px is drawn one px into its cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from render.errors import TextError
from render.graph import Lowered, Sprite
from render.layout import Canvas
from render.text import draw, picture
from render.timeline import Box, Layer, Picture, Text, Timeline

# About eight full pictures; what they take in memory, Pillow and FFmpeg together, is then below 120 MB.
MAX_ATLAS_PX = 16_000_000
_TOO_LARGE = "the overlays are too large to be drawn together; use fewer, or smaller ones"


@dataclass(frozen=True, slots=True)
class _Cut:
    """A drawn overlay, its px on the canvas, both even."""

    layer: Layer
    image: Image.Image
    x: int
    y: int


def lower(timeline: Timeline, folder: Path) -> tuple[Lowered, tuple[str, ...]]:
    """Draw everything that is not a clip; returns the lowered Timeline and warnings about what was drawn otherwise.

    Raises:
        TextError: a picture is broken, or the overlays are too large to be held.
    """
    canvas = Canvas(timeline.width, timeline.height)
    cuts: list[_Cut] = []
    warnings: list[str] = []
    total_px = 0
    for layer in timeline.layers:
        if (cut := _cut(layer, canvas, warnings)) is None:
            continue
        total_px += cut.image.width * cut.image.height
        if total_px > MAX_ATLAS_PX:
            raise TextError(_TOO_LARGE)
        cuts.append(cut)
    if not cuts:
        return Lowered(timeline), tuple(warnings)
    path = folder / "atlas.png"
    sprites = _pack(cuts, path, max(timeline.width, max(cut.image.width for cut in cuts)))
    return Lowered(timeline, tuple(sprites), path), tuple(warnings)


def _cut(layer: Layer, canvas: Canvas, warnings: list[str]) -> _Cut | None:
    if isinstance(layer.content, Text):
        drawn = draw(layer.content)
        image, box = drawn.image, drawn.box
        warnings += _text_warnings(layer.content, drawn.size_px)
    elif isinstance(layer.content, Picture):
        image = picture(layer.content.path, layer.content.longest_px)
        box = Box(0, 0, image.width, image.height)
    else:
        return None
    if not box.w or not box.h or layer.opacity <= 0:
        return None
    left, top = canvas.top_left(layer.place, box.w, box.h)
    return _even(layer, _with_opacity(image, layer.opacity), left - box.x, top - box.y)


def _text_warnings(text: Text, size_px: float) -> Iterable[str]:
    start = text.text.strip()[:24]
    if size_px < text.size_px and text.max_size_px <= text.size_px and text.min_size_px < size_px:
        yield f'the text "{start}" was drawn at {size_px:g} px instead of {text.size_px:g} so that it fits'


def _with_opacity(image: Image.Image, opacity: float) -> Image.Image:
    if opacity < 1:
        image.putalpha(image.getchannel("A").point([round(value * opacity) for value in range(256)]))
    return image


def _even(layer: Layer, image: Image.Image, x: int, y: int) -> _Cut:
    dx, dy = x & 1, y & 1
    width, height = image.width + dx + 1 & ~1, image.height + dy + 1 & ~1
    if (width, height) != image.size:
        # Growing by the neighbouring colour, transparent: at half resolution black would bleed into the edge.
        grown = image.resize((width, height), Image.Resampling.NEAREST)
        grown.putalpha(0)
        grown.paste(image, (dx, dy))
        image = grown
    return _Cut(layer, image, x - dx, y - dy)


def _pack(cuts: list[_Cut], path: Path, width: int) -> list[Sprite]:
    """Lay the cuts out in rows and write the file; the sprites come in the cuts' order.

    Rows are filled from the highest cut to the lowest, so that little room is lost however shapes alternate.
    """
    width = width + 1 & ~1
    cells: dict[int, Box] = {}
    x = y = row = 0
    for number in sorted(range(len(cuts)), key=lambda number: -cuts[number].image.height):
        image = cuts[number].image
        if x + image.width > width:
            x, y, row = 0, y + row, 0
        cells[number] = Box(x, y, image.width, image.height)
        x, row = x + image.width, max(row, image.height)
    if width * (y + row) > MAX_ATLAS_PX:
        raise TextError(_TOO_LARGE)
    atlas = Image.new("RGBA", (width, y + row), (0, 0, 0, 0))
    for number, cell in cells.items():
        atlas.paste(cuts[number].image, (cell.x, cell.y))
    atlas.save(path, compress_level=1)
    return [Sprite(cut.layer, cells[number], cut.x, cut.y) for number, cut in enumerate(cuts)]
