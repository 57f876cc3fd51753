"""Style `waves`: folds of silk that slide over each other, lit from one side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, sin

import cv2
import numpy as np

from daemon.sources.starter.fields import grid, tint
from daemon.sources.starter.film import Bytes, Colour, Film, Floats


@dataclass(frozen=True, slots=True)
class Silk:
    """Colours (R'G'B' 0..1): in the shade, of the cloth here and there, of the gloss."""

    shade: Colour
    cloth: Colour
    other: Colour
    gloss: Colour


SILKS = (
    Silk((0.010, 0.018, 0.050), (0.02, 0.20, 0.36), (0.16, 0.10, 0.42), (0.62, 0.86, 1.00)),
    Silk((0.035, 0.008, 0.030), (0.40, 0.05, 0.20), (0.44, 0.20, 0.08), (1.00, 0.76, 0.62)),
    Silk((0.008, 0.028, 0.030), (0.02, 0.25, 0.22), (0.06, 0.14, 0.30), (0.80, 1.00, 0.86)),
)
# A fold's turn away from the cloth's lean (radians) and its wavelength in picture widths.
BENDS = ((1.2, (1.1, 1.5)), (-0.9, (1.5, 2.1)), (0.5, (0.8, 1.1)))
FOLDS = ((0.0, (0.85, 1.05)), (0.22, (0.50, 0.62)), (-0.3, (0.30, 0.36)))
LIGHT = np.array([-0.55, -0.45, 0.70]) / np.linalg.norm([-0.55, -0.45, 0.70])
HALFWAY = (LIGHT + np.array([0, 0, 1])) / np.linalg.norm(LIGHT + np.array([0, 0, 1]))
STEEPNESS = 0.085


class Cloth:
    """A height field of few long waves, each bent by the others; comes back to itself after one turn."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        # One pixel more on every side, so that slopes are right up to the edge.
        x, y = grid(width + 2, height + 2)
        lean = rng.uniform(0.9, 1.25) * rng.choice([-1.0, 1.0])

        def wave(turn: float, length: tuple[float, float]) -> Floats:
            along = x * cos(lean + turn) + y * sin(lean + turn)
            return np.asarray(along * (2 * pi / rng.uniform(*length)) + rng.uniform(0, 2 * pi), np.float32)

        self._bends = [wave(*bend) for bend in BENDS]
        self._folds = [wave(*fold) for fold in FOLDS]
        self._patches = wave(0.7, (1.9, 1.9))
        middle = (y / y[-1, 0] - 0.5) / 0.17
        # Less gloss where the words will be.
        self.calm = np.asarray(1.0 - 0.45 * np.exp(-middle * middle), np.float32)[1:-1, 1:-1]

    def at(self, turn: float) -> tuple[Floats, Floats]:
        """Height (about -1.5 to 1.5) and a slow tint (-1 to 1) at `turn`, 0 to 2 pi, each with its spare border."""
        b1 = np.sin(self._bends[0] + np.float32(0.9 * sin(turn)))
        b2 = np.sin(self._bends[1] + b1 + np.float32(0.9 * cos(turn)))
        b3 = np.sin(self._bends[2] + 0.6 * b2 + np.float32(turn))
        f1 = np.sin(self._folds[0] + 1.5 * b1 + 0.9 * b2 - np.float32(turn))
        f2 = np.sin(self._folds[1] + 1.9 * b2 + 0.8 * f1 - np.float32(turn))
        f3 = np.sin(self._folds[2] + 2.2 * b1 + 1.2 * b3 + 0.7 * f2 - np.float32(turn))
        return f1 + 0.42 * f2 + (0.10 + 0.07 * b3) * f3, np.sin(self._patches + 0.8 * b2 + np.float32(turn))


def shade(heights: Floats, patches: Floats, calm: Floats, silk: Silk) -> Floats:
    """The lit cloth, (h - 2, w - 2, 3). Diffuse light and Blinn-Phong gloss from the slopes of the heights."""
    scale = heights.shape[1] / 8 * STEEPNESS
    gx, gy = (cv2.Sobel(heights, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=scale)[1:-1, 1:-1] for dx in (1, 0))
    z, mix = heights[1:-1, 1:-1], 0.5 + 0.5 * patches[1:-1, 1:-1]
    upright = 1.0 / cv2.sqrt(gx * gx + gy * gy + 1.0)

    def facing(way: Floats) -> Floats:
        towards = np.float32(way[2]) - gx * np.float32(way[0]) - gy * np.float32(way[1])
        return np.asarray(np.maximum(towards * upright, 0.0), np.float32)

    diffuse, mirror = facing(LIGHT), facing(HALFWAY)
    mirror = mirror * mirror * mirror
    mirror *= mirror
    gloss = (0.10 * mirror + 0.38 * cv2.pow(mirror, 4.4)) * calm
    body = diffuse * diffuse * (0.75 + 0.18 * z) + 0.25 * (1.0 - upright)
    lit = tint((body - body * mix, body * mix, gloss), (silk.cloth, silk.other, silk.gloss), silk.shade)
    return np.minimum(lit, np.float32(1.0))


def frames(seed: int, width: int, height: int, count: int) -> Iterator[Bytes]:
    """`count` I420 frames (height * 3 / 2, width): the last flows into the first. The next one overwrites each."""
    rng = np.random.default_rng(seed)
    silk = SILKS[seed % len(SILKS)]
    film = Film(width, height, seed)
    cloth = Cloth(rng, width * 2 // 5, height * 2 // 5)
    for k in range(count):
        yield film.develop(shade(*cloth.at(2 * pi * k / count), cloth.calm, silk))
