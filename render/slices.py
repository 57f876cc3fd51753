"""Cuts a film into slices, each of which is encoded by itself, and says where its key frames are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from render.timeline import Layer, Media, Timeline


@dataclass(frozen=True, slots=True)
class Slice:
    """The frames from `start` up to `end`, over which the ground (the clip underneath all else) is the same.

    In a transition it gives way to `coming`. `origin` is the frame at which the film begins to decode the ground; None
    where that is `start`.
    """

    start: int
    end: int
    ground: Layer | None
    origin: int | None = None
    coming: Layer | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.end - self.start


def slices(timeline: Timeline) -> list[Slice]:
    """Cut a film where its ground changes. Gaps without a clip are slices of black, transitions are slices of two."""
    found: list[Slice] = []
    at = 0
    for layer in sorted((x for x in timeline.layers if isinstance(x.content, Media)), key=lambda x: x.start):
        if layer.start > at:
            found.append(Slice(at, layer.start, None))
        start, end = max(at, layer.start), min(layer.end, timeline.frames)
        if layer.transition and layer.start < at and (leaving := found[-1]).ground is not None:
            found[-1:] = _crossing(leaving, layer)
            if end > start:
                found.append(Slice(start, end, layer, layer.start))
        elif end > start:
            found.append(Slice(start, end, layer))
        at = max(at, end)
    if at < timeline.frames:
        found.append(Slice(at, timeline.frames, None))
    return found


def _crossing(leaving: Slice, coming: Layer) -> list[Slice]:
    """What is left of a slice, and its end, over which another clip takes over."""
    origin = leaving.start if leaving.origin is None else leaving.origin
    both = Slice(coming.start, leaving.end, leaving.ground, origin, coming)
    return [replace(leaving, end=coming.start), both] if coming.start > leaving.start else [both]


def key_frames(timeline: Timeline) -> list[int]:
    """The frames from which a decoder can begin."""
    return [frame for part in slices(timeline) for frame in range(part.start, part.end, group_of(timeline))]


def group_of(timeline: Timeline) -> int:
    """How many frames lie between key frames at most: two seconds."""
    return round(2 * timeline.rate)
