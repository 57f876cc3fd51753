"""How well letters stand out from a picture, and how much black or white behind them they lack. Pure arithmetic.

Contrast is that of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05) of relative luminances, 1 to 21.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from render.timeline import Rgba

ENOUGH = 4.5
# What coding and rounding may take away again.
_SPARE = 1.06
_BLACK: Rgba = (0, 0, 0, 255)
_WHITE: Rgba = (255, 255, 255, 255)
# Darker letters than this stand out more from white than from black.
_DARK = 0.179


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The picture behind a text over its time, as grey values 0..255: nearly the darkest and nearly the brightest that
    there is, and how uneven it is, as a standard deviation."""

    dark: float
    bright: float
    uneven: float


@dataclass(frozen=True, slots=True)
class Letters:
    """Colours that letters have, and the opacity (0..1) of all that is drawn of them."""

    colors: tuple[Rgba, ...]
    opacity: float = 1.0


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance, 0..1, of a colour in sRGB, 0..255."""
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def linear(value: float) -> float:
    """Linear light, 0..1, of a value of sRGB, 0..255."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def grey(light: float) -> float:
    """The value of sRGB, 0..255, whose grey has a luminance."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def contrast(one: float, other: float) -> float:
    """Contrast of two luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def support(letters: Letters) -> Rgba:
    """What letters stand out from best: black, or white."""
    lights = [luminance(*color[:3]) for color in letters.colors]
    return _BLACK if min(lights) > _DARK else _WHITE if max(lights) <= _DARK else _opposite(lights)


def _opposite(lights: Sequence[float]) -> Rgba:
    """Of a dark and a light colour: where the worse of the two is better off."""
    return max((_BLACK, _WHITE), key=lambda color: min(contrast(luminance(*color[:3]), one) for one in lights))


def seen(letters: Letters, backdrop: Backdrop, behind: Rgba, cover: float) -> float:
    """The least contrast of any of the letters' colours anywhere on a backdrop that is covered to a share (0..1) with
    the colour `behind`. Letters and cover are drawn with the letters' opacity."""
    return min(
        _contrast(color, letters.opacity, value, behind, cover)
        for color in letters.colors
        for value in (backdrop.dark, backdrop.bright)
    )


def _contrast(color: Rgba, opacity: float, value: float, behind: Rgba, cover: float) -> float:
    share = cover * opacity
    ink = color[3] / 255
    around, within = [], []
    for letter, cast in zip(color[:3], behind[:3], strict=True):
        under = cover * cast + (1 - cover) * value
        around.append(share * cast + (1 - share) * value)
        within.append(opacity * (ink * letter + (1 - ink) * under) + (1 - opacity) * value)
    return contrast(luminance(*around), luminance(*within))


def cover_needed(letters: Letters, backdrop: Backdrop, behind: Rgba, least: float = 0.0) -> float:
    """The smallest share (0..1, in hundredths, from `least`) to which the backdrop has to be covered with `behind` for
    enough contrast everywhere; 1 where none is enough."""
    if seen(letters, backdrop, behind, least) >= ENOUGH:
        return least
    shares = (number / 100 for number in range(int(least * 100) + 1, 100))
    return next((share for share in shares if seen(letters, backdrop, behind, share) >= ENOUGH * _SPARE), 1.0)
