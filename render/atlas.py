"""Lowers a Timeline: draws its texts and pictures once and packs those that stand still into one picture file.

One file means one decoder, however many overlays a film has. Cells start at even px with even sides, because colour is
stored at half resolution; an overlay that belongs at an odd px is drawn one px into its cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from render.errors import TextError
from render.graph import Lowered, Reel, Sprite
from render.layout import Canvas
from render.motion import Course, course, moves, pose
from render.reel import Typed, reel_box, reel_bytes, shoot
from render.text import draw, picture
from render.timeline import Box, Layer, Picture, Text, Timeline

# About eight full pictures; what they take in memory, Pillow and FFmpeg together, is then below 120 MB.
MAX_ATLAS_PX = 16_000_000
_TOO_LARGE = "the overlays are too large to be drawn together; use fewer, or smaller ones"

# Each that moves is a file of its own, which FFmpeg reads in a thread of its own. A line of text takes 10 MB for half a
# second.
MAX_REELS = 32
MAX_REEL_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class _Cut:
    """A drawn overlay and its px on the canvas. `typed` draws one that is typed with a share of its letters."""

    layer: Layer
    image: Image.Image
    x: int
    y: int
    typed: Typed | None = None


def lower(timeline: Timeline, folder: Path, only: int | None = None) -> tuple[Lowered, tuple[str, ...]]:
    """Draw everything that is not a clip; returns the lowered Timeline and warnings about what was drawn otherwise.

    Of what moves, all is drawn, or what the frame `only` shows, for which alone the lowered Timeline is good then.

    Raises:
        TextError: a picture is broken, or the overlays are too large to be held.
    """
    canvas = Canvas(timeline.width, timeline.height)
    warnings: list[str] = []
    reels = _Reels(folder, canvas, only)
    cuts: list[_Cut] = []
    sprites: list[Sprite | None] = []  # None: the next of the cuts, whose cells are known when all are drawn
    for layer in timeline.layers:
        if (cut := _cut(layer, canvas, warnings)) is None:
            continue
        sprite = reels.sprite(cut) if moves(layer) else None
        if sprite is None:
            cuts.append(_even(_fading(cut, warnings) if moves(layer) else cut))
            _check_size(sum(cut.image.width * cut.image.height for cut in cuts))
        sprites.append(sprite)
    path = folder / "atlas.png"
    packed = _pack(cuts, path, timeline.width)
    done = tuple(sprite or next(packed) for sprite in sprites)
    return Lowered(timeline, done, path if cuts else None), tuple(warnings)


class _Reels:
    """Draws what moves, as long as there are not too many and not too large ones."""

    def __init__(self, folder: Path, canvas: Canvas, only: int | None) -> None:
        self._folder = folder
        self._canvas = canvas
        self._only = only
        self._count = 0
        self._bytes = 0

    def sprite(self, cut: _Cut) -> Sprite | None:
        """Write a reel; None where it would be one too many, or too large."""
        way = course(cut.layer, self._canvas.scale)
        box = reel_box(cut.image.size, way.poses, (cut.x, cut.y))
        size = reel_bytes(box, len(way.poses))
        if self._count == MAX_REELS or self._bytes + size > MAX_REEL_BYTES:
            return None
        if self._only is not None:
            now = pose(cut.layer, self._only - cut.layer.start, self._canvas.scale)
            way = Course((now,), 0, 0, meets=True)
        path = self._folder / f"reel{self._count}.rgba"
        shoot(cut.image, (cut.x, cut.y), way.poses, box, path, cut.typed)
        self._count += 1
        self._bytes += size
        return Sprite(cut.layer, Box(0, 0, box.w, box.h), box.x, box.y, Reel(path, way))


def _fading(cut: _Cut, warnings: list[str]) -> _Cut:
    """What cannot move fades in its place."""
    layer, way = cut.layer, course(cut.layer, 1.0)
    warnings.append("a text or logo fades instead of moving, for too much moves in this film")
    whole = way.head + way.tail
    head = layer.frames * way.head // whole if whole > layer.frames else way.head
    tail = min(way.tail, layer.frames - head)
    return replace(cut, layer=replace(layer, fade_in=head, fade_out=tail, enter=None, exit=None))


def _cut(layer: Layer, canvas: Canvas, warnings: list[str]) -> _Cut | None:
    if isinstance(layer.content, Text):
        drawn = draw(layer.content)
        image, box, typed = drawn.image, drawn.box, drawn.typed
        warnings += _text_warnings(layer.content, drawn.size_px)
    elif isinstance(layer.content, Picture):
        image = picture(layer.content.path, layer.content.longest_px)
        box, typed = Box(0, 0, image.width, image.height), None
    else:
        return None
    if not box.w or not box.h or layer.opacity <= 0:
        return None
    left, top = canvas.top_left(layer.place, box.w, box.h)
    at = left - box.x, top - box.y
    return _Cut(layer, _with_opacity(image, layer.opacity), *at, typed and _faint(typed, layer.opacity))


def _faint(typed: Typed, opacity: float) -> Typed:
    return lambda share: _with_opacity(typed(share).copy(), opacity)


def _text_warnings(text: Text, size_px: float) -> Iterable[str]:
    start = text.text.strip()[:24]
    if size_px < text.size_px and text.max_size_px <= text.size_px and text.min_size_px < size_px:
        yield f'the text "{start}" was drawn at {size_px:g} px instead of {text.size_px:g} so that it fits'


def _with_opacity(image: Image.Image, opacity: float) -> Image.Image:
    if opacity < 1:
        image.putalpha(image.getchannel("A").point([round(value * opacity) for value in range(256)]))
    return image


def _check_size(total_px: int) -> None:
    if total_px > MAX_ATLAS_PX:
        raise TextError(_TOO_LARGE)


def _even(cut: _Cut) -> _Cut:
    image, dx, dy = cut.image, cut.x & 1, cut.y & 1
    width, height = image.width + dx + 1 & ~1, image.height + dy + 1 & ~1
    if (width, height) != image.size:
        # Growing by the neighbouring colour, transparent: at half resolution black would bleed into the edge.
        grown = image.resize((width, height), Image.Resampling.NEAREST)
        grown.putalpha(0)
        grown.paste(image, (dx, dy))
        image = grown
    return replace(cut, image=image, x=cut.x - dx, y=cut.y - dy)


def _pack(cuts: list[_Cut], path: Path, width: int) -> Iterator[Sprite]:
    """Lay the cuts out in rows and write the file, where there are any; the sprites come in the cuts' order.

    Rows are filled from the highest cut to the lowest, so that little room is lost however shapes alternate.
    """
    if not cuts:
        return
    width = max(width, *(cut.image.width for cut in cuts)) + 1 & ~1
    cells: dict[int, Box] = {}
    x = y = row = 0
    for number in sorted(range(len(cuts)), key=lambda number: -cuts[number].image.height):
        image = cuts[number].image
        if x + image.width > width:
            x, y, row = 0, y + row, 0
        cells[number] = Box(x, y, image.width, image.height)
        x, row = x + image.width, max(row, image.height)
    _check_size(width * (y + row))
    atlas = Image.new("RGBA", (width, y + row), (0, 0, 0, 0))
    for number, cell in cells.items():
        atlas.paste(cuts[number].image, (cell.x, cell.y))
    atlas.save(path, compress_level=1)
    yield from (Sprite(cut.layer, cells[number], cut.x, cut.y) for number, cut in enumerate(cuts))
