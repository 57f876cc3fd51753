"""Frames between two frames, by optical flow. numpy and OpenCV; values in, values out, no files.

Flow is Dense Inverse Search (Kroeger et al. 2016, OpenCV's DISOpticalFlow) on small grey pictures, in both directions.
Where a point lies in between is approximated as in Super SloMo (Jiang et al. 2018, equation 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Frame = tuple[Plane, Plane, Plane]
"""Y, U and V of 4:2:0: [h, w], and twice [h / 2, w / 2]."""

_SIDE_PX = 480
# Flow there and back again that misses its start by more px of the small picture than this is no flow: something has
# come into view, or gone.
_MISS_PX = 1.5
# Mean difference of grey after the flow, above which two pictures are of different scenes.
_OTHER_SCENE = 24.0


@dataclass(frozen=True, slots=True)
class Between:
    """Two frames and the way from each to the other, in px of the small picture; `trust` is 0 to 1 for each of its px.

    Of different scenes there is no way: `trust` is None.
    """

    first: Frame
    second: Frame
    there: NDArray[np.float32]
    back: NDArray[np.float32]
    trust: NDArray[np.float32] | None


class Flow:
    """Finds the way between frames of one size."""

    def __init__(self, width: int, height: int) -> None:
        scale = min(1.0, _SIDE_PX / max(width, height))
        self._small = max(16, round(width * scale)), max(16, round(height * scale))
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        x, y = np.meshgrid(np.arange(self._small[0], dtype=np.float32), np.arange(self._small[1], dtype=np.float32))
        self._grid = np.dstack((x, y))
        self._grids: dict[tuple[int, int], NDArray[np.float32]] = {}

    def between(self, first: Frame, second: Frame) -> Between:
        """Find the way between two frames."""
        grey = [cv2.resize(frame[0], self._small, interpolation=cv2.INTER_AREA) for frame in (first, second)]
        there, back = self._way(grey[0], grey[1]), self._way(grey[1], grey[0])
        arrived = _sampled(grey[1], self._grid + there)
        if float(cv2.absdiff(arrived, grey[0]).mean()) > _OTHER_SCENE:
            return Between(first, second, there, back, None)
        miss = np.linalg.norm(there + _sampled(back, self._grid + there), axis=2)
        trust = np.clip(2 - miss / _MISS_PX, 0, 1).astype(np.float32)
        return Between(first, second, there, back, cv2.GaussianBlur(trust, (0, 0), 2))

    def _way(self, start: Any, end: Any) -> Any:
        none: Any = None  # no flow to begin with
        return self._search.calc(start, end, none)

    def frame(self, pair: Between, share: float) -> Frame:
        """The frame at a share (0 to 1) of the time from the first to the second."""
        if pair.trust is None:
            return pair.first if share < 0.5 else pair.second
        to_first = share * share * pair.back - (1 - share) * share * pair.there
        to_second = (1 - share) * (1 - share) * pair.there - share * (1 - share) * pair.back
        planes = (
            self._plane(*planes, to_first, to_second, pair.trust, share)
            for planes in zip(pair.first, pair.second, strict=True)
        )
        y, u, v = planes
        return y, u, v

    def _plane(self, first: Plane, second: Plane, to_first: Any, to_second: Any, trust: Any, share: float) -> Plane:
        """Where the flow is trusted both frames moved to each other, elsewhere both as they are; mixed by time."""
        height, width = first.shape
        moved = cv2.addWeighted(
            self._moved(first, to_first), 1 - share, self._moved(second, to_second), share, 0, dtype=cv2.CV_32F
        )
        mixed = cv2.addWeighted(first, 1 - share, second, share, 0, dtype=cv2.CV_32F)
        weight = cv2.resize(trust, (width, height), interpolation=cv2.INTER_LINEAR)
        plane: Plane = np.clip(mixed + (moved - mixed) * weight + 0.5, 0, 255).astype(np.uint8)
        return plane

    def _moved(self, plane: Plane, way: Any) -> Any:
        height, width = plane.shape
        scale = np.array([width / self._small[0], height / self._small[1]], np.float32)
        at = self._pixels(width, height) + cv2.resize(way, (width, height), interpolation=cv2.INTER_LINEAR) * scale
        return _sampled(plane, at)

    def _pixels(self, width: int, height: int) -> NDArray[np.float32]:
        if (width, height) not in self._grids:
            x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
            self._grids[width, height] = np.dstack((x, y))
        return self._grids[width, height]


def _sampled(picture: Any, at: Any) -> Any:
    nothing: Any = None  # the second map, which a map of pairs does without
    return cv2.remap(picture, at, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
