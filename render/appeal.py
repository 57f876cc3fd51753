"""Which of some frames makes the best picture of a film. OpenCV and numpy only; opens no files."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from render.cues import Frames, check


def best_frame(frames: Frames, worth: Sequence[float]) -> int:
    """Index of the frame [n, h, w, 3] (BGR, n >= 1) that makes the best thumbnail.

    The product of its `worth` (0..1, what is known of it otherwise), exposure (mean luma near mid-grey, little of it
    clipped), sharpness (variance of the Laplacian, Pech-Pacheco et al., ICPR 2000, against the best of them), contrast
    (deviation of luma; a fade lowers both) and, mildly, colourfulness (Hasler and Suesstrunk, SPIE 5007, 2003). Raises
    ValueError for other shapes.
    """
    check(frames, 1)
    sharp = np.array([_sharpness(frame) for frame in frames])
    appeal = np.array([_appeal(frame) for frame in frames])
    return int(np.argmax((0.1 + np.sqrt(sharp / max(sharp.max(), 1e-6))) * appeal * np.array(worth)))


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
