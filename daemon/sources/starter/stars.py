"""Style `stars`: a slow flight towards a nebula, near stars passing faster than far ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.sources.starter.fields import cloud, grid, look, stamp, tint
from daemon.sources.starter.film import Bytes, Colour, Film, Floats

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sky:
    """Colours (R'G'B' 0..1): of the night, of the gas here and there, of the nebula's heart."""

    night: Colour
    gas: Colour
    other: Colour
    heart: Colour


SKIES = (
    Sky((0.012, 0.016, 0.042), (0.10, 0.19, 0.62), (0.62, 0.16, 0.44), (0.70, 0.36, 0.34)),
    Sky((0.006, 0.020, 0.034), (0.02, 0.32, 0.40), (0.12, 0.26, 0.66), (0.36, 0.62, 0.60)),
    Sky((0.024, 0.013, 0.026), (0.40, 0.12, 0.40), (0.72, 0.30, 0.14), (0.80, 0.52, 0.26)),
)
FINE, SMOOTH = 1024, 256
STARS, BRIGHT = 1600, 14
REACH = 4
TINTS: tuple[Colour, ...] = ((0.62, 0.76, 1.0), (0.80, 0.88, 1.0), (1.0, 0.92, 0.80), (1.0, 0.76, 0.58))


class Nebula:
    """Clouds of gas along a slanting band, cut by dust; comes back to itself after one turn."""

    def __init__(self, rng: np.random.Generator, sky: Sky, width: int, height: int) -> None:
        self._sky = sky
        self._gas, self._dust = cloud(rng, FINE, 1.62, 240), cloud(rng, FINE, 1.55, 200)
        self._bends = [cloud(rng, SMOOTH, 2.0, 10) for _ in range(2)]
        self._hue = cloud(rng, SMOOTH, 2.0, 4)
        self._phases = rng.uniform(0, 2 * pi, 5)
        x, y = grid(width, height)
        slant, middle = rng.uniform(0.75, 1.2) * rng.choice([-1.0, 1.0]), height / width / 2
        across = (x - 0.5) * np.cos(slant) + (y - middle) * np.sin(slant) + rng.uniform(-0.12, 0.12)
        self._across = np.asarray(across, np.float32)
        self._calm = np.asarray(1.0 - 0.5 * np.exp(-(((y - middle) / 0.26) ** 2)), np.float32)
        self._x, self._y = (np.asarray((v + rng.random()) * (0.34 * FINE), np.float32) for v in (x, y))
        self._xs, self._ys = self._x * np.float32(SMOOTH / FINE), self._y * np.float32(SMOOTH / FINE)

    def at(self, turn: float) -> Floats:
        """The nebula (h, w, 3), R'G'B' 0..1, at `turn`, 0 to 2 pi."""
        p = self._phases + turn
        q = look(self._bends[0], self._xs, self._ys, 3.5, p[0])
        r = look(self._bends[1], self._xs, self._ys, 3.5, p[1])
        x, y = self._x + 26 * q, self._y + 26 * r
        density = look(self._gas, x, y, 6, p[2])
        dust = look(self._dust, x * np.float32(1.15), y * np.float32(1.15), 8, p[3])
        hue = look(self._hue, self._xs + 3.5 * r, self._ys + 3.5 * q, 4.5, p[4])
        across = self._across + 0.10 * q
        band = cv2.exp(across * across * -5.5)
        gas = cv2.exp(0.72 * density - 0.20) * (0.14 + 0.86 * band) * self._calm
        gas *= 1.0 - 0.85 / (1.0 + cv2.exp(-3.0 * (dust - 0.15 - band)))
        other = gas / (1.0 + cv2.exp(-2.2 * hue))
        heart = gas * gas * band * 0.22
        sky = self._sky
        light = tint((gas - other, other, heart), (sky.gas, sky.other, sky.heart), sky.night)
        return np.asarray(0.80 * (1.0 - cv2.exp(-1.08 * light)), np.float32)


class Stars:
    """Stars that come nearer; each fades in far away and fades out before it is passed, at its own time of the loop."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._centre = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
        self._places = rng.uniform(-0.1, 1.1, (STARS, 2)) * (width, height) - self._centre
        # Few bright, many faint: a power law, as star counts by brightness are.
        self._gain = np.sort((17.0 * (1.0 - rng.random(STARS)) ** -0.5).clip(0, 210))[::-1]
        self._speed = 0.03 + 0.20 * rng.random(STARS) ** 3
        self._births, self._twinkles = rng.random(STARS), rng.uniform(0, 2 * pi, STARS)
        self._sigma = (0.72 + 0.0035 * self._gain) * max(width / 1080, 0.5)
        tints = rng.choice(len(TINTS), BRIGHT)
        sizes = rng.uniform(2, 9, BRIGHT) * width / 1080
        self._halos = [halo(size, TINTS[i]) for size, i in zip(sizes, tints, strict=True)]

    def at(self, loop: float) -> tuple[Doubles, Doubles]:
        """Places (n, 2) in px and brightness (n,) in 8-bit steps when `loop`, 0 to 1, of the loop has gone."""
        age = (loop + self._births) % 1.0
        places = self._centre + self._places * (1.0 + self._speed * (2.0 * age - 1.0))[:, None]
        fade = np.minimum(np.minimum(age, 1.0 - age) / 0.2, 1.0)
        gain = self._gain * fade * fade * (3.0 - 2.0 * fade)
        return places, gain * (0.85 + 0.15 * np.sin(4 * pi * loop + self._twinkles))

    def draw(self, places: Doubles, gain: Doubles, details: Floats) -> None:
        """Add every star as a round dot to `details` (height, width), at its place between the pixels."""
        corner = np.floor(places).astype(np.int64)
        inside = ((corner >= REACH) & (corner < [self._width - REACH, self._height - REACH])).all(1) & (gain > 0.7)
        corner, spot, width = corner[inside], (places - corner)[inside], 2 * self._sigma[inside, None] ** 2
        steps = np.arange(1 - REACH, 1 + REACH)
        across = np.exp(-((steps - spot[:, :1]) ** 2) / width)
        down = np.exp(-((steps - spot[:, 1:]) ** 2) / width) * gain[inside, None]
        pixels = (corner[:, 1, None, None] + steps[:, None]) * self._width + corner[:, 0, None, None] + steps
        np.add.at(details.reshape(-1), pixels, (down[:, :, None] * across[:, None, :]).astype(np.float32))

    def glow(self, places: Doubles, gain: Doubles, picture: Floats) -> None:
        """Add the coloured halos of the brightest stars to `picture`."""
        scale = picture.shape[1] / self._width
        for sprite, (x, y), level in zip(self._halos, places * scale, gain, strict=False):
            stamp(picture, sprite, x, y, level / 200)


def halo(size: float, colour: Colour) -> Floats:
    """The glow around a bright star, `size` px wide at half its brightness."""
    reach = int(size * 4) + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    r = np.hypot(x, y)
    fall = np.maximum(1.0 - r / reach, 0.0) ** 2 / (1.0 + (r / max(size * 0.5, 0.5)) ** 2)
    return np.ascontiguousarray(fall[:, :, None] * np.array(colour) * 0.55, np.float32)


def frames(seed: int, width: int, height: int, count: int) -> Iterator[Bytes]:
    """`count` I420 frames (height * 3 / 2, width): the last flows into the first. The next one overwrites each."""
    rng = np.random.default_rng(seed)
    film = Film(width, height, seed)
    nebula = Nebula(rng, SKIES[seed % len(SKIES)], width * 2 // 5, height * 2 // 5)
    stars = Stars(rng, width, height)
    details = np.zeros((height, width), np.float32)
    for k in range(count):
        picture = nebula.at(2 * pi * k / count)
        places, gain = stars.at(k / count)
        details.fill(0.0)
        stars.draw(places, gain, details)
        stars.glow(places, gain, picture)
        yield film.develop(picture, details)
