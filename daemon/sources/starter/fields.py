"""What the styles are painted with: smooth random fields that tile, looked up anywhere, and soft sprites.

Knows nothing of any one style. Runs in the generating child process only (numpy, OpenCV).
"""

from __future__ import annotations

from math import cos, floor, sin

import cv2
import numpy as np

from daemon.sources.starter.film import Colour, Floats


def cloud(rng: np.random.Generator, size: int, slope: float, highest: float) -> Floats:
    """A tiling field (size, size), mean 0, deviation 1: noise whose amplitude falls as frequency ** -slope.

    No frequency above `highest` (waves a tile) is in it. White noise shaped in the Fourier domain.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None, :])
    weight = np.where((frequency > 0) & (frequency <= highest), np.maximum(frequency, 1.0) ** -slope, 0.0)
    field = np.fft.irfft2(spectrum * weight, (size, size))
    return np.asarray(field / field.std(), np.float32)


def grid(width: int, height: int) -> tuple[Floats, Floats]:
    """x and y of every pixel of a (height, width) picture, both in picture widths."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(width)
    return x, y


def look(tile: Floats, x: Floats, y: Floats, radius: float = 0.0, angle: float = 0.0) -> Floats:
    """The tile, repeated for ever, at texel coordinates x, y moved by `radius` texels towards `angle` (radians).

    With an angle that turns once a loop, the field flows and comes back to where it began.
    """
    dx, dy = np.float32(radius * cos(angle)), np.float32(radius * sin(angle))
    return np.asarray(cv2.remap(tile, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def tint(parts: tuple[Floats, ...], colours: tuple[Colour, ...], ground: Colour) -> Floats:
    """The picture (h, w, 3) of `ground` plus every part (h, w) in its colour."""
    matrix = np.array([*colours, ground], np.float32).T
    return np.asarray(cv2.transform(cv2.merge(parts), np.ascontiguousarray(matrix)), np.float32)


def stamp(picture: Floats, sprite: Floats, x: float, y: float, gain: float) -> None:
    """Add `sprite` (odd square, 3 channels) times `gain` to `picture`, its centre at x, y px; cut at the edges."""
    height, width = picture.shape[:2]
    reach = sprite.shape[0] // 2
    column, row = floor(x), floor(y)
    left, right = max(column - reach, 0), min(column + reach + 1, width)
    top, bottom = max(row - reach, 0), min(row + reach + 1, height)
    if left >= right or top >= bottom:
        return
    shift = np.array([[1, 0, x - column], [0, 1, y - row]], np.float32)
    moved = cv2.warpAffine(sprite, shift, sprite.shape[1::-1], flags=cv2.INTER_LINEAR)
    part = moved[top - row + reach : bottom - row + reach, left - column + reach : right - column + reach]
    target = picture[top:bottom, left:right]
    cv2.scaleAdd(part, gain, target, dst=target)
