"""Numbers from a few small frames of a clip: where to crop, whether there is anything to see.

OpenCV and numpy only: it opens no files and starts no FFmpeg; whoever calls it hands it pixels, in a process that may
be heavy, sampled as SAMPLES, PAIR_GAP_S and SIDE_PX say.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from render.cues import Frames, Map, check, contrast, detail, exposed_like, motion, skin

# How to sample: at SAMPLES evenly spread instants a frame and another PAIR_GAP_S later (a close pair tells what moves
# from the camera's own motion), scaled so that the longer side is SIDE_PX. In one pass, as raw bgr24 over a pipe, with
# `-fps_mode passthrough`, P = duration / SAMPLES, G = min(PAIR_GAP_S, P / 2), A = P * 3/4, B = A - G and t from 0:
#   select='gt(floor((t+A)/P),floor((prev_t+A)/P))+gt(floor((t+B)/P),floor((prev_t+B)/P))',scale=W:H:flags=area
# Evenly spread frames without pairs do too: all neighbours are compared, and what cannot be aligned counts little.
SAMPLES = 12
PAIR_GAP_S = 0.2
SIDE_PX = 256

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
    check(frames, 2)
    small = _small(frames)
    rows, columns = _without_bars(small)
    black = not _shows_something(small[:, rows, columns])
    frozen = _is_still(small[:, rows, columns])
    inside = np.zeros(small.shape[1:3], np.bool_)
    inside[rows, columns] = True
    x, y = (0.5, 0.5) if black else _focus(_importance(small, inside), aspect)
    return Look(x, y, black, frozen)


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
        difference = luma - exposed_like(clearest, luma, everywhere)
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
        (motion(frames), _MOTION, _MOTION_FLOOR),
        (contrast(frames, inside), _CONTRAST, _CONTRAST_FLOOR),
        (detail(frames, inside), _DETAIL, _DETAIL_FLOOR),
        (skin(frames), _SKIN, _SKIN_FLOOR),
    )
    total = np.full(inside.shape, _EVENLY, np.float32)
    for cue, weight, floor in cues:
        total += cue * (weight / max(float(cue.mean()), floor))
    return total


def _small(frames: Frames) -> Frames:
    height, width = frames.shape[1:3]
    scale = min(_WORK_PX / max(height, width), 1.0)
    return np.stack([_shrunk(frame, (max(round(width * scale), 8), max(round(height * scale), 8))) for frame in frames])


def _shrunk(frame: Frames, size: tuple[int, int]) -> Frames:
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
