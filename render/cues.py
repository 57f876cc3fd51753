"""What draws the eye in a few small frames of a clip, as maps of 0..1: motion, contrast, detail, skin.

OpenCV and numpy only. What the maps are added up to, and why by these weights, stands in `render.vision`.
"""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# [n, h, w, 3], BGR; and a value a pixel.
Frames = NDArray[np.uint8]
Map = NDArray[np.float32]
Matrix = NDArray[Any]  # 2x3, float64

_COLOUR_BINS = 16


def check(frames: Frames, at_least: int) -> None:
    """Raises ValueError where they are not at least so many, of that shape and type, and large enough to be judged."""
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or len(frames) < at_least:
        raise ValueError(f"frames must be uint8 [n >= {at_least}, h, w, 3], not {frames.dtype} {list(frames.shape)}")
    if min(frames.shape[1:3]) < 16:
        raise ValueError(f"frames of {frames.shape[2]}x{frames.shape[1]} px are too small to judge")


def motion(frames: Frames) -> Map:
    """What moved against the background, 0..1, over all neighbours; pairs that cannot be aligned count little.

    The root, because that something moves says more than how much: waving hands must not outweigh their owner.
    """
    lumas = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    moved = np.zeros(lumas[0].shape, np.float32)
    counted = np.zeros(moved.shape, np.float32)
    for before, after in itertools.pairwise(lumas):
        left, valid = _unexplained(before, after)
        trust = max(0.0, 1 - 2 * float(left[valid].mean())) if valid.any() else 0.0
        moved += trust * left * valid
        counted += trust * valid
    # Where a panning camera rarely let anything be compared, little is known: the edge must not outshine the rest.
    return np.asarray(np.sqrt(moved / np.maximum(counted, max(0.5 * float(counted.max()), 1e-3))), np.float32)


def _unexplained(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[Map, NDArray[np.bool_]]:
    """How far (0..1) each pixel differs once camera and exposure are taken out, and where that can be said.

    The camera counts as moving only where things changed all over the picture (a lone thing's own motion is not the
    camera's) and moving explains much more than standing still.
    """
    valid = np.ones(before.shape, np.bool_)
    best = _residue(before.astype(np.float32), after, valid)
    enough = 0.6 * float(best.mean())
    if _spread(best) < 0.15:
        return best, valid
    for camera in (_tracked(before, after), _shifted_by(before, after)):
        if camera is None:
            continue
        warped, covered = _warped(before, camera)
        residue = _residue(warped, after, covered) if covered.mean() > 0.5 else best
        left = float(residue[covered].mean()) if covered.mean() > 0.5 else 1.0
        if left < enough:
            best, valid, enough = residue, covered, left
    return best, valid


def _spread(weights: Map) -> float:
    """Standard deviation of the weights' position along the narrower-spread axis, in parts of the picture."""
    total = float(weights.sum())
    if total == 0:
        return 0.0
    deviations = []
    for axis in (0, 1):
        line = weights.sum(axis=axis) / total
        at = (np.arange(len(line)) + 0.5) / len(line)
        deviations.append(float(np.sqrt((line * at**2).sum() - (line * at).sum() ** 2)))
    return min(deviations)


def _warped(luma: NDArray[np.uint8], camera: Matrix) -> tuple[Map, NDArray[np.bool_]]:
    """The picture moved by the camera's matrix, and where it then holds picture, less the rim that filters smear."""
    size = luma.shape[1], luma.shape[0]
    covered = cv2.warpAffine(np.ones(luma.shape, np.float32), camera, size) > 0.99
    covered = cv2.erode(covered.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.asarray(cv2.warpAffine(luma.astype(np.float32), camera, size), np.float32), covered


def _tracked(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Matrix | None:
    """The 2x3 similarity that most tracked corners agree on."""
    points: Any = cv2.goodFeaturesToTrack(before, 120, 0.01, 4)  # None without corners, whatever its stub says
    if points is None:
        return None
    arrived, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, np.empty(0), winSize=(13, 13), maxLevel=3)
    known = found[:, 0] > 0
    if known.sum() < 8:
        return None
    matrix, _ = cv2.estimateAffinePartial2D(points[known], arrived[known], ransacReprojThreshold=1.0)
    return matrix


def _shifted_by(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Matrix:
    """The shift that the whole picture's phases agree on: for what is too soft or too sparse to be tracked."""
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return np.array([[1, 0, x], [0, 1, y]], np.float64)


def _residue(before: Map, after: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Map:
    later = after.astype(np.float32)
    difference = cv2.blur(np.abs(later - exposed_like(before, later, valid)), (3, 3))
    # Half a pixel of misalignment changes an edge by half its gradient: that much is no motion.
    edge = cv2.blur(np.hypot(cv2.Sobel(later, cv2.CV_32F, 1, 0), cv2.Sobel(later, cv2.CV_32F, 0, 1)) / 8, (3, 3))
    noise = min(float(np.median(difference[valid])), 7.0)  # more is no grain: everything moved
    return np.asarray(np.clip((difference - 0.5 * edge - 2 * noise - 4) / 24, 0, 1), np.float32)


def exposed_like(luma: Map, target: Map, valid: NDArray[np.bool_]) -> Map:
    """`luma` with the gain and offset that bring it nearest to `target`; the second fit leaves out what moved."""
    keep = valid
    gain, offset = 1.0, 0.0
    for _ in range(2):
        x, y = luma[keep], target[keep]
        spread = float(x.var())
        gain = float(((x - x.mean()) * (y - y.mean())).mean()) / spread if spread > 1 else 1.0
        offset = float(y.mean()) - gain * float(x.mean())
        error = np.abs(target - gain * luma - offset)
        keep = valid & (error <= 2 * float(np.median(error[valid])) + 1)
    return np.asarray(gain * luma + offset, np.float32)


def contrast(frames: Frames, inside: NDArray[np.bool_]) -> Map:
    """How much more each pixel's colour belongs to the inside of the picture than to its left, right and top border."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    top, left, right = rows[0], columns[0], columns[-1] + 1
    ring = max(round(0.06 * len(columns)), 2)
    border = inside.copy()
    border[top + ring :, left + ring : right - ring] = False
    labs = np.stack([cv2.cvtColor(frame, cv2.COLOR_BGR2LAB) for frame in frames]).astype(np.int32)
    index = _colour_index(labs)
    around = _histogram(index[:, border])
    within = _histogram(index[:, inside & ~border])
    belongs = np.clip(2 * within / (within + around + 1e-5) - 1, 0, 1).astype(np.float32)
    return np.asarray(belongs[index].mean(axis=0), np.float32)


def _colour_index(labs: NDArray[np.int32]) -> NDArray[np.int32]:
    # Chroma is bunched around 128: bins a third as wide as those of lightness tell pale colours apart.
    light = labs[..., 0] * _COLOUR_BINS // 256
    chroma = np.clip((labs[..., 1:] - 128) * _COLOUR_BINS * 3 // 256 + _COLOUR_BINS // 2, 0, _COLOUR_BINS - 1)
    return np.asarray((light * _COLOUR_BINS + chroma[..., 0]) * _COLOUR_BINS + chroma[..., 1], np.int32)


def _histogram(index: NDArray[np.int32]) -> NDArray[np.float64]:
    """Share of each colour, smoothed over neighbouring bins so that grain and shading do not split one colour."""
    cube = np.bincount(index.ravel(), minlength=_COLOUR_BINS**3).reshape((_COLOUR_BINS,) * 3).astype(np.float64)
    for axis in range(3):
        cube = (2 * cube + _shifted(cube, 1, axis) + _shifted(cube, -1, axis)) / 4
    return np.asarray(cube.ravel() / max(float(cube.sum()), 1.0), np.float64)


def _shifted(cube: NDArray[np.float64], by: int, axis: int) -> NDArray[np.float64]:
    rolled = np.roll(cube, by, axis)
    edge: list[slice | int] = [slice(None)] * 3
    edge[axis] = 0 if by > 0 else -1
    rolled[tuple(edge)] = 0
    return rolled


def detail(frames: Frames, inside: NDArray[np.bool_]) -> Map:
    """Image signature of every sample, 0..1: where the signs of the cosine transform alone put the energy back."""
    total = np.zeros(inside.shape, np.float32)
    for frame in frames:
        luma = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)
        luma[~inside] = luma[inside].mean()
        spectrum = cv2.dct(cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA))
        spectrum[np.abs(spectrum) < 1e-2] = 0  # rounding has a sign too
        salient = cv2.GaussianBlur(cv2.idct(np.sign(spectrum)) ** 2, (0, 0), 2.5)
        salient /= max(float(salient.max()), 1e-9)
        total += cv2.resize(salient, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(total / len(frames), np.float32)


def skin(frames: Frames) -> Map:
    """Likelihood of skin, fading as its share grows: a picture full of such colours is wood or sand."""
    total = np.zeros(frames.shape[1:3], np.float32)
    for frame in frames:
        y, cr, cb = (plane.astype(np.float32) for plane in cv2.split(cv2.cvtColor(frame, cv2.COLOR_BGR2YCrCb)))
        total += np.exp(-(((cr - 153) / 10) ** 2 + ((cb - 102) / 12) ** 2) / 2) * (y > 40)
    total /= len(frames)
    return np.asarray(total * max(0.0, 1 - float(total.mean()) / 0.3), np.float32)
