"""Geometry: how a canvas scales, where an overlay sits, which part of a source fills the picture. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from render.timeline import Align, Box, Margin, Place

REFERENCE_WIDTH = 1080
REFERENCE_HEIGHT = 1920
# What TikTok, Reels and Shorts lay over a portrait film, in px of the reference canvas, as they tell advertisers.
# Above: tabs and camera (Meta 14 %, 269 px). Below: name, caption, sound (Meta's stories 20 %, 384 px; TikTok 370); an
# unfolded caption or an advertisement's button takes up to 35 %, which would leave no lower third to write on. Right:
# the column of buttons (TikTok 120 px, Meta 6 %, 65 px). Left: TikTok 60 px, Meta 65.
_SOCIAL = Margin(top=270, right=120, bottom=390, left=65)
# Only a film that fills a phone has anything laid over it: 2:3 and higher.
_FILLS_A_PHONE = 1.5

SafeArea = Literal["social", "none"]


@dataclass(frozen=True, slots=True)
class Canvas:
    """The output's size, the factors that bring px of the reference canvas to it, and the area that stays free."""

    width: int
    height: int
    safe_area: SafeArea = "none"

    @property
    def scale(self) -> float:
        """Factor for lengths: sizes, margins, radii."""
        return min(self.width / REFERENCE_WIDTH, self.height / REFERENCE_HEIGHT)

    def x(self, px: float) -> int:
        """Bring a horizontal coordinate to the output."""
        return round(px * self.width / REFERENCE_WIDTH)

    def y(self, px: float) -> int:
        """Bring a vertical coordinate to the output."""
        return round(px * self.height / REFERENCE_HEIGHT)

    def length(self, px: float) -> int:
        """Bring a length to the output."""
        return round(px * self.scale)

    def margin(self, sides: list[float]) -> Margin:
        """Bring `[top, right, bottom, left]` to the output."""
        return Margin(*(self.length(side) for side in sides))

    def place(self, x: Align | float, y: Align | float, margin: list[float]) -> Place:
        """Where an overlay sits on the output.

        An axis that is given by a word keeps the safe area free as well: the larger of it and the margin counts. What
        is centred across keeps as much free on the left as on the right, or wide texts would not be centred.
        """
        sides = margin
        if self.safe_area == "social" and self.height >= self.width * _FILLS_A_PHONE:
            top, right, bottom, left = margin
            if isinstance(x, str):
                most = max(_SOCIAL.left, _SOCIAL.right) if x == "center" else 0
                right, left = max(right, _SOCIAL.right, most), max(left, _SOCIAL.left, most)
            if isinstance(y, str):
                top, bottom = max(top, _SOCIAL.top), max(bottom, _SOCIAL.bottom)
            sides = [top, right, bottom, left]
        across, down = x if isinstance(x, str) else self.x(x), y if isinstance(y, str) else self.y(y)
        return Place(across, down, self.margin(sides))

    def room(self, margin: Margin) -> tuple[int, int]:
        """Width and height that an overlay may take inside its margins; at least one px."""
        return max(1, self.width - margin.left - margin.right), max(1, self.height - margin.top - margin.bottom)

    def top_left(self, place: Place, width: int, height: int) -> tuple[int, int]:
        """The px at which an overlay of `width` x `height` starts.

        A word aligns with the canvas's edge less its margin, or centres on the canvas. A coordinate is the overlay's
        centre. Either is then moved just so far that the margins stay free; what is larger than its room is centred
        in it.
        """
        margin = place.margin
        return (
            _start(place.x, width, self.width, margin.left, margin.right),
            _start(place.y, height, self.height, margin.top, margin.bottom),
        )


def _start(at: Align | int, length: int, canvas: int, before: int, after: int) -> int:
    first, last = before, canvas - after - length
    if last < first:
        return (first + last) // 2
    if at == "start":
        return first
    if at == "end":
        return last
    centre = canvas / 2 if at == "center" else at
    return min(max(round(centre - length / 2), first), last)


def cover(width: int, height: int, target: Canvas, focus: tuple[float, float], sar: Fraction = Fraction(1)) -> Box:
    """The largest part of a source that has the target's shape, around a focus given as shares of width and height.

    `width` and `height` are stored px and `sar` is their shape; so is the answer. Even numbers, since colour is stored
    at half resolution.
    """
    shape = Fraction(target.width, target.height) / sar
    if width > height * shape:
        w, h = round(height * shape), height
    else:
        w, h = width, round(width / shape)
    w, h = max(2, w & ~1), max(2, h & ~1)
    return Box(_around(focus[0], width, w), _around(focus[1], height, h), w, h)


def _around(focus: float, length: int, part: int) -> int:
    return min(max(round(focus * length - part / 2), 0), length - part) & ~1
