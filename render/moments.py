"""Which moments of a film may stand for it: lit, at rest, with as many words as are ever shown together. Pure."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from render.slices import key_frames
from render.timeline import Layer, Media, Timeline

# Each is a seek and, where it is no key frame, up to two seconds to decode.
_BEST, _OTHERS = 6, 2
_STEPS = 240
# Where something moves or is being faded: still better than a black frame.
_UNREST = 0.4


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame, its second in the film, and what it is worth before anybody has seen it, 0..1."""

    frame: int
    at_s: Fraction
    worth: float


def moments(timeline: Timeline) -> tuple[Moment, ...]:
    """The frame that was asked for; or some of the best, and a few others in case that the picture is bad there."""
    if timeline.thumbnail is not None:
        return (_moment(timeline, timeline.thumbnail, 1.0),)
    keys = key_frames(timeline)
    steps = min(_STEPS, timeline.frames)
    frames = sorted({*keys, *((2 * step + 1) * timeline.frames // (2 * steps) for step in range(steps))})
    worths = dict(zip(frames, _worths(timeline, frames), strict=True))
    most = max(worths.values())
    best = [frame for frame in frames if worths[frame] == most]
    others = [frame for frame in frames if 0 < worths[frame] < most]
    chosen = _spread(_first_of_groups(best, keys), _BEST) + _spread(_first_of_groups(others, keys), _OTHERS)
    return tuple(_moment(timeline, frame, worths[frame] / most if most else 1.0) for frame in sorted(chosen))


def _moment(timeline: Timeline, frame: int, worth: float) -> Moment:
    return Moment(frame, frame / timeline.rate, worth)


def _first_of_groups(frames: Sequence[int], keys: Sequence[int]) -> list[int]:
    """Of frames that are decoded from the same key frame the first, for which the fewest others are."""
    groups: dict[int, int] = {}
    for frame in frames:
        groups.setdefault(bisect(keys, frame), frame)
    return list(groups.values())


def _spread(items: Sequence[int], count: int) -> list[int]:
    """So many of them, evenly."""
    if len(items) <= count:
        return list(items)
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]


def _worths(timeline: Timeline, frames: Sequence[int]) -> list[float]:
    clips = [layer for layer in timeline.layers if isinstance(layer.content, Media)]
    overlays = [layer for layer in timeline.layers if not isinstance(layer.content, Media)]
    shown = [_shown(overlays, frame) for frame in frames]
    most = max(shown)
    worths = []
    for frame, count in zip(frames, shown, strict=True):
        # Where two clips are there, one gives way to the other.
        unrest = _moves(overlays, frame) or _shown(clips, frame) > 1
        worths.append(_light(timeline, frame) * (1 + count) / (1 + most) * (_UNREST if unrest else 1.0))
    return worths


def _shown(layers: Sequence[Layer], frame: int) -> int:
    return sum(layer.start <= frame < layer.end for layer in layers)


def _light(timeline: Timeline, frame: int) -> float:
    """The share of its light that the picture has, while it comes from black or goes there."""
    rise = frame / timeline.fade_in if timeline.fade_in else 1.0
    fall = (timeline.frames - 1 - frame) / timeline.fade_out if timeline.fade_out else 1.0
    return min(1.0, rise, fall)


def _moves(overlays: Sequence[Layer], frame: int) -> bool:
    """Whether one of them comes or goes."""
    return any(
        layer.start <= frame < layer.end and not layer.start + _rise(layer) <= frame < layer.end - _fall(layer)
        for layer in overlays
    )


def _rise(layer: Layer) -> int:
    return max(layer.fade_in, layer.enter.frames if layer.enter else 0)


def _fall(layer: Layer) -> int:
    return max(layer.fade_out, layer.exit.frames if layer.exit else 0)
