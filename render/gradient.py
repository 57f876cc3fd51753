"""Two-colour gradients as pictures. Knows no text."""

from __future__ import annotations

from math import cos, radians, sin

from PIL import Image

from render.timeline import Gradient

_STEPS = 256


def ramp(gradient: Gradient, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """A picture of that size, RGBA, whose colours go from the first to the second across a box (left, top, right,
    bottom) in it and stay as they are beyond.

    The line along which they change is that of CSS Images Level 3, section 3.1: it is just so long that the corners of
    the box have the pure colours.
    """
    angle = radians(gradient.angle_deg)
    across, down = sin(angle), -cos(angle)
    width, height = box[2] - box[0], box[3] - box[1]
    length = max(abs(width * across) + abs(height * down), 1)
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    per_px = _STEPS / length
    start = 1.5 * _STEPS - (centre[0] * across + centre[1] * down) * per_px
    affine = 0, 0, 1, across * per_px, down * per_px, start
    return _strip(gradient).transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)


def _strip(gradient: Gradient) -> Image.Image:
    """The colours downwards; as many steps before and behind them as they have: a text's stroke is drawn beyond."""
    first, second = (bytes(color) for color in gradient.colors)
    shares = [(step + 0.5) / _STEPS for step in range(_STEPS)]
    mixed = [bytes(round(a + (b - a) * share) for a, b in zip(first, second, strict=True)) for share in shares]
    rows = [first] * _STEPS + mixed + [second] * _STEPS
    return Image.frombytes("RGBA", (3, len(rows)), b"".join(row * 3 for row in rows))
