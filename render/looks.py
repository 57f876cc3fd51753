"""Looks by name: how a picture is coloured over all, as FFmpeg filters that stay in 8 bit YUV. Pure.

A look is a curve for light and a tint that depends on it, cool in the shadows and warm in the lights, say. That is what
most looks are, and it costs a tenth of a table of three colours, for which the picture would have to become RGB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """`contrast` bends light into an S around mid grey (-1 to 1), `lift` raises black, `fade` lowers white, both in
    steps of luma. `shadows` and `lights` are what the tint adds to U and V there; `mix` (0 to 1) is how much of the
    colour gives way to the tint, so that 1 leaves nothing but it.
    """

    contrast: float = 0.0
    lift: float = 0.0
    fade: float = 0.0
    shadows: tuple[float, float] = (0.0, 0.0)
    lights: tuple[float, float] = (0.0, 0.0)
    mix: float = 0.0


# Below this light (0 to 1) a tint gives way to black.
_BLACK = 0.2
_LIGHT = "clip((val-16)/219\\,0\\,1)"

LOOKS = {
    "noir": Look(contrast=0.55, mix=1.0),
    "sepia": Look(contrast=0.1, lift=6, shadows=(-10, 8), lights=(-22, 14), mix=0.9),
    "teal": Look(contrast=0.25, shadows=(14, -16), lights=(-22, 16), mix=0.3),
    "film": Look(contrast=0.15, lift=14, fade=10, shadows=(2, -4), lights=(-12, 10), mix=0.22),
    "dusk": Look(contrast=0.2, lift=4, shadows=(20, -2), lights=(-6, 18), mix=0.32),
    "frost": Look(contrast=-0.1, lift=10, shadows=(12, -10), lights=(8, -6), mix=0.4),
}


def looked(name: str) -> Iterator[str]:
    """The filters of a look, from limited-range YUV to the same; nothing for `none`."""
    if name == "none":
        return
    look = LOOKS[name]
    if look.mix:
        tints = [_tint(*ends, look.mix) for ends in zip(look.shadows, look.lights, strict=True)]
        yield f"pseudocolor=c0=val:c1='{tints[0]}':c2='{tints[1]}':opacity={look.mix:g}"
    yield f"lutyuv=y='{_curve(look)}'"


def _tint(shadows: float, lights: float, mix: float) -> str:
    """What a chroma plane gives way to, by luma. Divided by the mix, which takes as much of it; none at black."""
    low, high = shadows / mix, (lights - shadows) / mix
    return f"clip(128+({low:.3f}+{high:.3f}*{_LIGHT})*clip({_LIGHT}/{_BLACK:g}\\,0\\,1)+0.5\\,16\\,240)"


def _curve(look: Look) -> str:
    """Light x from 0 to 1 becomes x + contrast * (s - x), s the smooth step 3x^2 - 2x^3, between the new ends."""
    x = _LIGHT
    bent = f"({x}+{look.contrast:g}*(3*pow({x}\\,2)-2*pow({x}\\,3)-{x}))"
    low, high = 16 + look.lift, 235 - look.fade
    return f"clip({low:g}+{high - low:g}*{bent}+0.5\\,16\\,235)"
