"""Seconds and frames of a film: which is on screen when, and which tells most. Pure."""

from __future__ import annotations

from fractions import Fraction

from render.timeline import Text, Timeline


def frame_at(timeline: Timeline, second: Fraction) -> int:
    """The frame that is on screen at a second; at the very end it is the last one."""
    return min(int(second * timeline.rate), timeline.frames - 1)


def telling_second(timeline: Timeline) -> Fraction:
    """A second that shows much: the middle of the first text's time, or else of the film."""
    texts = (layer for layer in timeline.layers if isinstance(layer.content, Text))
    first = next(texts, None)
    middle = first.start + first.frames // 2 if first else timeline.frames // 2
    return Fraction(min(middle, timeline.frames - 1)) / timeline.rate
