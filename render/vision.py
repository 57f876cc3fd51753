"""Numbers from a few small frames of a clip: where to crop, whether there is anything to see, which frame to show.

OpenCV and numpy only: it opens no files and starts no FFmpeg; whoever calls it hands it pixels, in a process that may
be heavy, sampled as SAMPLES, PAIR_GAP_S and SIDE_PX say.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# How to sample: at SAMPLES evenly spread instants a frame and another PAIR_GAP_S later (a close pair tells what moves
# from the camera's own motion), scaled so that the longer side is SIDE_PX. In one pass, as raw bgr24 over a pipe, with
# `-fps_mode passthrough`, P = duration / SAMPLES, G = min(PAIR_GAP_S, P / 2), A = P * 3/4, B = A - G and t from 0:
#   select='gt(floor((t+A)/P),floor((prev_t+A)/P))+gt(floor((t+B)/P),floor((prev_t+B)/P))',scale=W:H:flags=area
# Evenly spread frames without pairs do too: all neighbours are compared, and what cannot be aligned counts little.
SAMPLES = 12
PAIR_GAP_S = 0.2
SIDE_PX = 256

Frames = NDArray[np.uint8]
Map = NDArray[np.float32]
Matrix = NDArray[Any]  # 2x3, float64

# Judged at this longer side: finer says nothing more about where to cut, and the averaging takes most grain away.
_WORK_PX = 128
# How much each cue may add, and the mean over the picture above which it adds all of that (a fainter cue adds less).
_MOTION, _MOTION_FLOOR = 0.8, 0.05
_CONTRAST, _CONTRAST_FLOOR = 1.0, 0.04
_DETAIL, _DETAIL_FLOOR = 0.5, 0.05
_SKIN, _SKIN_FLOOR = 0.3, 0.03
_EVENLY = 0.3
# What a window at the picture's very edge loses against one in the middle.
_CENTRE_PRIOR = 0.4
_COLOUR_BINS = 16


@dataclass(frozen=True, slots=True)
class Look:
    """What a clip shows. `focus_x`, `focus_y`: 0..1 of the upright picture, the centre of the crop that keeps most.

    `black` means nothing to see (also one flat colour), `frozen` a still: no motion between any two samples; a fade,
    a flicker and grain are not motion, so what is black is usually frozen too.
    """

    focus_x: float
    focus_y: float
    black: bool
    frozen: bool


def look(frames: Frames, aspect: float = 9 / 16) -> Look:
    """Judge a clip by sampled frames [n, h, w, 3], BGR, n >= 2, to be cropped to `aspect` (width / height).

    Importance of a pixel, each term scaled to a mean of at most its weight:
      1.0 contrast  colours that the picture has inside but not along its border (the boundary prior: Wei et al.,
                    Geodesic Saliency Using Background Priors, ECCV 2012)
    + 0.8 motion    the root of what is left of neighbouring samples' difference once exposure and the camera's own
                    motion (a similarity, RANSAC over Lucas-Kanade tracks, or a phase correlation) are taken out
    + 0.5 detail    image signature (Hou, Harel and Koch, IEEE PAMI 34(1), 2012; unlike the spectral residual it does
                    not take the picture's own edge for one)
    + 0.3 skin      a Gaussian in Cr and Cb around the skin box of Chai and Ngan (IEEE CSVT 9(4), 1999)
    + 0.3           everywhere.
    Along the axis that is cut the score of a window is its importance under an Epanechnikov kernel as wide as the
    window (so that its maximum is a mode, centred on the thing: Comaniciu and Meer, Mean Shift, PAMI 2002) times a
    parabolic prior, 1 in the middle and 0.6 at the edges. The best window's centre is the focus: two things at both
    ends never give the empty middle, and without evidence the prior alone decides. On the other axis the focus is the
    mean of importance inside that window. Symmetric dark bars are no evidence. Raises ValueError for other shapes.
    """
    _check(frames, 2)
    small = _small(frames)
    rows, columns = _without_bars(small)
    black = not _shows_something(small[:, rows, columns])
    frozen = _is_still(small[:, rows, columns])
    inside = np.zeros(small.shape[1:3], np.bool_)
    inside[rows, columns] = True
    x, y = (0.5, 0.5) if black else _focus(_importance(small, inside), aspect)
    return Look(x, y, black, frozen)


def best_frame(frames: Frames) -> int:
    """Index of the frame [n, h, w, 3] (BGR, n >= 1) that makes the best thumbnail.

    The product of exposure (mean luma near mid-grey, little of it clipped), sharpness (variance of the Laplacian,
    Pech-Pacheco et al., ICPR 2000, against the clip's best), contrast (deviation of luma; a fade lowers both) and,
    mildly, colourfulness (Hasler and Suesstrunk, SPIE 5007, 2003). Raises ValueError for other shapes.
    """
    _check(frames, 1)
    sharp = np.array([_sharpness(frame) for frame in frames])
    appeal = np.array([_appeal(frame) for frame in frames])
    return int(np.argmax((0.1 + np.sqrt(sharp / max(sharp.max(), 1e-6))) * appeal))


def _check(frames: Frames, at_least: int) -> None:
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or len(frames) < at_least:
        raise ValueError(f"frames must be uint8 [n >= {at_least}, h, w, 3], not {frames.dtype} {list(frames.shape)}")
    if min(frames.shape[1:3]) < 16:
        raise ValueError(f"frames of {frames.shape[2]}x{frames.shape[1]} px are too small to judge")


# --- is there anything to see -----------------------------------------------------------------------------------------


def _without_bars(frames: Frames) -> tuple[slice, slice]:
    """Rows and columns inside letterbox or pillarbox bars: dark, of equal width on both sides."""
    luma = frames[..., 1]
    return _inside(luma.mean(axis=2)), _inside(luma.mean(axis=1))


def _inside(lines: NDArray[np.float64]) -> slice:
    """Lines [n, length] between two equal runs that are dark in nearly all frames (a flash may light bars up)."""
    length = lines.shape[1]
    lit = np.flatnonzero(np.sort(lines, axis=0)[-1 - len(lines) // 8] > 22)
    if not len(lit):
        return slice(0, length)
    bar = min(int(lit[0]), length - 1 - int(lit[-1]))
    bar = bar + 1 if bar else 0  # scaling smears a bar's edge
    return slice(bar, length - bar) if length - 2 * bar >= 8 else slice(0, length)


def _shows_something(frames: Frames) -> bool:
    """Whether more than an eighth of the samples show more than one flat colour and its grain."""
    return sum(_varies(frame) for frame in frames) * 8 > len(frames)


def _varies(frame: Frames) -> bool:
    """Cells of 4x4 px average grain away; what differs by more than chance is a picture, were it one small light."""
    height, width = frame.shape[:2]
    cells = _shrunk(frame, (max(width // 4, 2), max(height // 4, 2))).reshape(-1, 3).astype(np.int16)
    return float(np.ptp(cells, axis=0).max()) > 12 + min(2.5 * _grain(frame[..., 1].astype(np.float32)), 25)


def _grain(luma: Map) -> float:
    """Standard deviation of white noise: by the median, so that edges do not count; 0.943 is what a 3x3 mean leaves."""
    return float(np.median(np.abs(luma - cv2.blur(luma, (3, 3))))) * 1.4826 / 0.943


def _is_still(frames: Frames) -> bool:
    """No sample differs from the clearest one by more than exposure, grain and coding noise do."""
    lumas = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32) for frame in frames]
    clearest = max(lumas, key=lambda luma: float(luma.std()))
    everywhere = np.ones(clearest.shape, np.bool_)
    for luma in lumas:
        difference = luma - _exposed_like(clearest, luma, everywhere)
        if float(np.abs(cv2.blur(difference, (5, 5))).max()) > np.clip(1.2 * _grain(difference), 7, 14):
            return False
    return True


# --- where to crop ----------------------------------------------------------------------------------------------------


def _focus(importance: Map, aspect: float) -> tuple[float, float]:
    height, width = importance.shape
    if width > height * aspect:
        x = _best_window(importance.sum(axis=0), height * aspect)
        return x, _mean_inside(importance, x, height * aspect)
    y = _best_window(importance.sum(axis=1), width / aspect)
    return _mean_inside(importance.T, y, width / aspect), y


def _best_window(profile: Map, window: float) -> float:
    """Centre (0..1) of the window of that many px that keeps most of the importance along one axis."""
    length = len(profile)
    window = min(window, float(length))
    centres = np.linspace(window / 2, length - window / 2, max(2 * int(length - window) + 1, 1))
    reach = (np.arange(length) + 0.5 - centres[:, None]) / (window / 2)
    kept = np.clip(1 - reach**2, 0, None) @ profile
    away = (centres / length - 0.5) / 0.5
    return float(centres[int(np.argmax(np.round(kept * (1 - _CENTRE_PRIOR * away**2), 4)))] / length)


def _mean_inside(importance: Map, centre: float, window: float) -> float:
    """Mean position (0..1) over the rows of importance, of the columns inside the window."""
    height, width = importance.shape
    columns = np.abs(np.arange(width) + 0.5 - centre * width) <= window / 2
    rows = importance[:, columns].sum(axis=1)
    return float((rows * (np.arange(height) + 0.5)).sum() / rows.sum() / height)


def _importance(frames: Frames, inside: NDArray[np.bool_]) -> Map:
    cues = (
        (_motion(frames), _MOTION, _MOTION_FLOOR),
        (_contrast(frames, inside), _CONTRAST, _CONTRAST_FLOOR),
        (_detail(frames, inside), _DETAIL, _DETAIL_FLOOR),
        (_skin(frames), _SKIN, _SKIN_FLOOR),
    )
    total = np.full(inside.shape, _EVENLY, np.float32)
    for cue, weight, floor in cues:
        total += cue * (weight / max(float(cue.mean()), floor))
    return total


def _motion(frames: Frames) -> Map:
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
    difference = cv2.blur(np.abs(later - _exposed_like(before, later, valid)), (3, 3))
    # Half a pixel of misalignment changes an edge by half its gradient: that much is no motion.
    edge = cv2.blur(np.hypot(cv2.Sobel(later, cv2.CV_32F, 1, 0), cv2.Sobel(later, cv2.CV_32F, 0, 1)) / 8, (3, 3))
    noise = min(float(np.median(difference[valid])), 7.0)  # more is no grain: everything moved
    return np.asarray(np.clip((difference - 0.5 * edge - 2 * noise - 4) / 24, 0, 1), np.float32)


def _exposed_like(luma: Map, target: Map, valid: NDArray[np.bool_]) -> Map:
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


def _contrast(frames: Frames, inside: NDArray[np.bool_]) -> Map:
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


def _detail(frames: Frames, inside: NDArray[np.bool_]) -> Map:
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


def _skin(frames: Frames) -> Map:
    """Likelihood of skin, fading as its share grows: a picture full of such colours is wood or sand."""
    total = np.zeros(frames.shape[1:3], np.float32)
    for frame in frames:
        y, cr, cb = (plane.astype(np.float32) for plane in cv2.split(cv2.cvtColor(frame, cv2.COLOR_BGR2YCrCb)))
        total += np.exp(-(((cr - 153) / 10) ** 2 + ((cb - 102) / 12) ** 2) / 2) * (y > 40)
    total /= len(frames)
    return np.asarray(total * max(0.0, 1 - float(total.mean()) / 0.3), np.float32)


# --- which frame to show ----------------------------------------------------------------------------------------------


def _sharpness(frame: Frames) -> float:
    luma = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (3, 3), 0)  # or grain would count as detail
    return float(cv2.Laplacian(luma, cv2.CV_32F).var())


def _appeal(frame: Frames) -> float:
    """Exposure, contrast and colour of one frame as one factor, 0..1."""
    luma = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    clipped = float(((luma < 8) | (luma > 247)).mean())
    exposure = float(np.exp(-(((float(luma.mean()) - 118) / 75) ** 2))) * (1 - 0.8 * clipped)
    contrast = min(float(luma.std()) / 60, 1.0)
    blue, green, red = (plane.astype(np.float32) for plane in cv2.split(frame))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    colour = float(np.hypot(red_green.std(), yellow_blue.std()) + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
    return exposure * (0.05 + contrast) * (0.7 + 0.3 * min(colour / 60, 1.0))


def _small(frames: Frames) -> Frames:
    height, width = frames.shape[1:3]
    scale = min(_WORK_PX / max(height, width), 1.0)
    return np.stack([_shrunk(frame, (max(round(width * scale), 8), max(round(height * scale), 8))) for frame in frames])


def _shrunk(frame: Frames, size: tuple[int, int]) -> Frames:
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
