"""How one shot gives way to the next, as FFmpeg filter chains. Pure; knows neither clips nor overlays.

What moves is eased by bending time: both streams get times that run slowly at either end, FFmpeg's xfade goes evenly
through those, and the frames then get their own times back.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from render.timeline import Transition

_XFADE = {"crossfade": "fade", "dip": "fadeblack", "push": "slideup", "wipe": "smoothup"}
_MOVING = ("push",)
# Fine enough for the smallest step of the slowest frame.
_TICKS = 1_000_000


def crossed(transition: Transition, start: int, rate: Fraction, leaving: str, coming: str) -> Iterator[str]:
    """Chains from two streams of as many frames as the transition has, to one whose end has no name yet.

    A frame shows what the middle of its time does, so that neither end is one clip alone.
    """
    share = f"((N+0.5)/{transition.frames})"
    eased = f"if(lt({share}\\,0.5)\\,4*pow({share}\\,3)\\,1-4*pow(1-{share}\\,3))"
    time = eased if transition.kind in _MOVING else share
    length_us = round(transition.frames / rate * _TICKS)
    for name in (leaving, coming):
        yield f"[{name}]settb=1/{_TICKS},setpts='{length_us}*{time}'[{name}bent]"
    xfade = f"xfade=transition={_XFADE[transition.kind]}:duration={length_us}us:offset=0"
    tick = f"{rate.denominator}/{rate.numerator}"
    yield f"[{leaving}bent][{coming}bent]{xfade},settb={tick},setpts=N+{start}"
