"""Where an overlay is, how large and how opaque, at each frame of its coming and going. Pure; paints nothing.

A movement is a shift in px, a factor on the size and one on the opacity; `letters` is the share of a text that is
typed already.
"""

from __future__ import annotations

from dataclasses import dataclass

from render.easing import ease_in, ease_out, swing_out
from render.timeline import Layer, Motion

# Px of a 1080 px wide picture: far enough to be seen, near enough for the eye to stay where it reads.
_RISE_PX = 64.0
_SLIDE_PX = 150.0
_SMALL = 0.7
# Opacity is there before the movement ends, which is slow then and should be seen.
_SOLID_AFTER = 0.6


@dataclass(frozen=True, slots=True)
class Pose:
    """One frame of an overlay, relative to how it stands: shifted by `dx`, `dy` px, scaled around its middle."""

    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    opacity: float = 1.0
    letters: float = 1.0


RESTING = Pose()


@dataclass(frozen=True, slots=True)
class Course:
    """The frames of an overlay that differ from each other.

    `poses` are `head` frames from its start, one that stands until the end is near, and `tail` frames up to its end;
    where these meet, there is no standing one (`meets`) and every frame has its pose.
    """

    poses: tuple[Pose, ...]
    head: int
    tail: int
    meets: bool


def moves(layer: Layer) -> bool:
    """Whether a layer does more than fade."""
    return layer.enter is not None or layer.exit is not None


def course(layer: Layer, scale: float) -> Course:
    """The poses of a layer; `scale` is px of the output for each px of a 1080 px wide picture."""
    head = max(layer.fade_in, layer.enter.frames if layer.enter else 0)
    tail = max(layer.fade_out, layer.exit.frames if layer.exit else 0)
    meets = head + tail >= layer.frames
    frames = range(layer.frames) if meets else [*range(head + 1), *range(layer.frames - tail, layer.frames)]
    return Course(tuple(pose(layer, frame, scale) for frame in frames), head, tail, meets)


def pose(layer: Layer, frame: int, scale: float) -> Pose:
    """How a layer stands `frame` frames after its start: not yet to be seen at the first, gone at its last."""
    coming, going = RESTING, RESTING
    if layer.enter and frame < layer.enter.frames:
        coming = _coming(layer.enter, frame / layer.enter.frames, scale)
    left = layer.frames - frame
    if layer.exit and left <= layer.exit.frames:
        going = _going(layer.exit, 1 - (left - 1) / layer.exit.frames, scale)
    return Pose(
        coming.dx + going.dx,
        coming.dy + going.dy,
        coming.scale * going.scale,
        coming.opacity * going.opacity * _faded(layer, frame),
        min(coming.letters, going.letters),
    )


def _faded(layer: Layer, frame: int) -> float:
    opacity = 1.0
    if frame < layer.fade_in:
        opacity = frame / layer.fade_in
    left = layer.frames - frame
    if left <= layer.fade_out:
        opacity *= (left - 1) / layer.fade_out
    return opacity


def _coming(motion: Motion, share: float, scale: float) -> Pose:
    if motion.style == "type":
        return Pose(letters=share)
    opacity = min(1.0, share / _SOLID_AFTER)
    if motion.style == "rise":
        return Pose(dy=(1 - ease_out(share)) * _RISE_PX * scale, opacity=opacity)
    if motion.style == "slide":
        return Pose(dx=-(1 - ease_out(share)) * _SLIDE_PX * scale, opacity=opacity)
    return Pose(scale=_SMALL + (1 - _SMALL) * swing_out(share), opacity=opacity)


def _going(motion: Motion, share: float, scale: float) -> Pose:
    """Leaving goes on in the direction of coming, and is gone before it gets fast."""
    if motion.style == "type":
        return Pose(letters=1 - share)
    opacity = min(1.0, (1 - share) / _SOLID_AFTER)
    if motion.style == "rise":
        return Pose(dy=-ease_in(share) * _RISE_PX * scale, opacity=opacity)
    if motion.style == "slide":
        return Pose(dx=ease_in(share) * _SLIDE_PX * scale, opacity=opacity)
    return Pose(scale=1 - (1 - _SMALL) * ease_in(share), opacity=opacity)
