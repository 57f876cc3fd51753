"""The starter logo: a white ring, open where a spark sits, around a play mark. Drawn with Pillow.

The founding request puts the logo and the signature on the same spot, so the lower part of the picture stays empty: the
signature then reads as the caption under the emblem.
"""

from __future__ import annotations

from math import cos, radians, sin

from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]

SIDE_PX = 600
EMPTY_BELOW = 0.73
OVERSAMPLE = 4
# In px of the finished picture.
CENTRE, RADIUS, STROKE = (300.0, 216.0), 160.0, 13.0
MARK_RADIUS, MARK_ROUNDING = 74.0, 17.0
SPARK_DEGREES, SPARK_RADIUS, GAP_DEGREES = -48.0, 15.0, 16.0
GLOW_RADII = ((11.0, 0.42), (4.0, 0.30))


def draw() -> Image.Image:
    """The logo, RGBA, SIDE_PX square: white with a soft dark glow, so that it is seen on bright pictures too."""
    shape = _emblem().resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    glow = Image.new("L", shape.size)
    for radius, opacity in GLOW_RADII:
        blurred = shape.filter(ImageFilter.GaussianBlur(radius)).point([round(v * opacity) for v in range(256)])
        glow = Image.composite(Image.new("L", glow.size, 255), glow, blurred)
    glow.paste(0, (0, round(SIDE_PX * EMPTY_BELOW), SIDE_PX, SIDE_PX))
    dark = Image.new("RGBA", shape.size, (6, 8, 14, 0))
    dark.putalpha(glow)
    white = Image.new("RGBA", shape.size, (255, 255, 255, 0))
    white.putalpha(shape)
    return Image.alpha_composite(dark, white)


def _emblem() -> Image.Image:
    """The shape alone, L, OVERSAMPLE times as large as needed."""
    image = Image.new("L", (SIDE_PX * OVERSAMPLE,) * 2)
    pen = ImageDraw.Draw(image)
    start, end = SPARK_DEGREES + GAP_DEGREES, SPARK_DEGREES - GAP_DEGREES + 360
    spark, first, last = (_arc(CENTRE, RADIUS, angle, angle)[0] for angle in (SPARK_DEGREES, start, end))
    ring = [
        *_arc(CENTRE, RADIUS + STROKE / 2, start, end),
        *_arc(last, STROKE / 2, end, end + 180),
        *_arc(CENTRE, RADIUS - STROKE / 2, end, start),
        *_arc(first, STROKE / 2, start + 180, start + 360),
    ]
    mark = [point for angle in (0, 120, 240) for point in _corner(angle)]
    for outline in (ring, mark, _arc(spark, SPARK_RADIUS, 0, 360)):
        pen.polygon([(x * OVERSAMPLE, y * OVERSAMPLE) for x, y in outline], fill=255)
    return image


def _corner(angle: float) -> list[Point]:
    """A round corner of the play mark, which sits a little right of the middle, where the eye expects it."""
    centre = _arc((CENTRE[0] + 8, CENTRE[1]), MARK_RADIUS - MARK_ROUNDING, angle, angle)[0]
    return _arc(centre, MARK_ROUNDING, angle - 60, angle + 60)


def _arc(centre: Point, radius: float, start: float, end: float) -> list[Point]:
    """Points of an arc, a degree apart; degrees run clockwise from the right, as in Pillow."""
    steps = max(1, round(abs(end - start)))
    angles = [radians(start + (end - start) * k / steps) for k in range(steps + 1)]
    return [(centre[0] + radius * cos(a), centre[1] + radius * sin(a)) for a in angles]
