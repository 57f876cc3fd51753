"""Lays pictures with captions out in a grid on one sheet. Knows only pictures; says nothing of where they come from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_GAP_PX, _CAPTION_PX, _TEXT_PX = 14, 30, 17
_PAPER, _INK = (18, 18, 20), (214, 214, 218)


@dataclass(frozen=True, slots=True)
class Card:
    """A picture file's bytes and what stands below it."""

    picture: bytes
    caption: str


def lay_out(cards: Sequence[Card], columns: int, width_px: int, font: Path, out: Path, quality: int = 80) -> None:
    """Write the cards as JPEG, row by row, each picture `width_px` wide; all have the shape of the first.

    Raises:
        OSError: it cannot be written.
    """
    first = Image.open(io.BytesIO(cards[0].picture))
    height_px = round(width_px * first.height / first.width)
    rows = -(-len(cards) // columns)
    step_x, step_y = width_px + _GAP_PX, height_px + _CAPTION_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, rows * step_y + _GAP_PX), _PAPER)
    pen, face = ImageDraw.Draw(sheet), ImageFont.FreeTypeFont(font, _TEXT_PX)
    for number, card in enumerate(cards):
        x, y = _GAP_PX + number % columns * step_x, _GAP_PX + number // columns * step_y
        picture = Image.open(io.BytesIO(card.picture)).resize((width_px, height_px), Image.Resampling.LANCZOS)
        sheet.paste(picture, (x, y))
        pen.text((x + width_px / 2, y + height_px + _CAPTION_PX / 2), card.caption, _INK, face, anchor="mm")
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, quality=quality, optimize=True, progressive=True)
