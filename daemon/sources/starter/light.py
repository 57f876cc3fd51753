"""Style `light`: out-of-focus lights that sway and breathe before a dim, glowing room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, sin

import cv2
import numpy as np

from daemon.sources.starter.fields import cloud, grid, look, stamp, tint
from daemon.sources.starter.film import Bytes, Colour, Film, Floats


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours in linear light, 0..1: of the room above and below, of its glow, of the lights from common to rare."""

    top: Colour
    bottom: Colour
    glow: Colour
    lights: tuple[Colour, Colour, Colour, Colour]


AMBER = Mood(
    (0.0006, 0.0085, 0.0210), (0.0085, 0.0022, 0.0026), (0.017, 0.0052, 0.0022),
    ((1.0, 0.34, 0.045), (1.0, 0.16, 0.03), (1.0, 0.55, 0.20), (0.05, 0.34, 0.55)),
)  # fmt: skip
NEON = Mood(
    (0.0026, 0.0012, 0.0170), (0.0110, 0.0008, 0.0075), (0.040, 0.003, 0.034),
    ((0.95, 0.07, 0.34), (0.26, 0.08, 1.0), (0.07, 0.24, 1.0), (1.0, 0.36, 0.22)),
)  # fmt: skip
GARDEN = Mood(
    (0.0006, 0.0070, 0.0085), (0.0016, 0.0036, 0.0100), (0.004, 0.030, 0.020),
    ((0.06, 0.62, 0.36), (0.05, 0.40, 0.55), (0.85, 0.62, 0.16), (1.0, 0.42, 0.12)),
)  # fmt: skip
MOODS = (AMBER, NEON, GARDEN)
SHARES = (0.46, 0.26, 0.18, 0.10)
LIGHTS = 64
TILE = 256


@dataclass(frozen=True, slots=True)
class Lamp:
    """One light: its blurred picture, where it hangs (px), how far the camera's and its own sway move it (px)."""

    sprite: Floats
    x: float
    y: float
    sway: float
    own: float
    gain: float
    phases: tuple[float, float, float]

    def draw(self, picture: Floats, turn: float) -> None:
        """Add the lamp as it is at `turn`, 0 to 2 pi."""
        x = self.x + self.sway * cos(turn) + self.own * cos(turn + self.phases[0])
        y = self.y + 0.8 * self.sway * sin(turn) + self.own * sin(turn + self.phases[1])
        stamp(picture, self.sprite, x, y, self.gain * (0.70 + 0.30 * sin(turn + self.phases[2])))


def disc(radius: float, rim: float, colour: Colour) -> Floats:
    """A point of light out of focus: a soft disc, brighter towards its rim, with the colour fringe of a lens."""
    softness = 0.85 + 0.035 * radius
    reach = int(radius + softness * 2 + 4)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(x, y)
    channels = []
    for strength, size in zip(colour, (1.0, 0.988, 0.976), strict=True):
        r = distance - radius * size
        inside = 1.0 / (1.0 + np.exp(np.minimum(r / (softness * 0.45), 60.0)))
        edge = np.exp(-(((r + radius * 0.06) / (radius * 0.07 + softness)) ** 2))
        channels.append(inside * (0.62 + 0.18 * (distance / radius) ** 2 + rim * edge) * strength)
    return np.ascontiguousarray(np.dstack(channels), np.float32)


def lamp(rng: np.random.Generator, mood: Mood, width: int, height: int) -> Lamp:
    """A lamp at a random depth: near ones are large, dim and move; few hang in the middle, where the words will be."""
    near = float(rng.random())
    radius = width * (0.020 + 0.125 * near**2) * rng.uniform(0.85, 1.2)
    from_edge = rng.beta(0.9, 1.25) * 0.55 - 0.05
    down = from_edge if rng.random() < 0.5 else 1.0 - from_edge
    middle = np.exp(-(((down - 0.5) / 0.14) ** 2))
    gain = np.exp(rng.normal(-1.75, 0.8)) * (0.35 + 1.2 * (1.0 - near) ** 1.5) * (1.0 - 0.6 * middle)
    sprite = disc(radius, rng.uniform(0.15, 0.45), mood.lights[rng.choice(4, p=SHARES)])
    a, b, c = rng.uniform(0, 2 * pi, 3)
    x = rng.uniform(-0.08, 1.08) * width
    return Lamp(sprite, x, down * height, (0.02 + 0.16 * near) * width, radius / 4, min(gain, 0.8), (a, b, c))


class Room:
    """The background: two dark colours, and a glow that wanders."""

    def __init__(self, rng: np.random.Generator, mood: Mood, width: int, height: int) -> None:
        x, y = grid(width, height)
        self._x, self._y = x * np.float32(0.3 * TILE), y * np.float32(0.3 * TILE)
        self._fields = [cloud(rng, TILE, 2.2, 4) for _ in range(2)]
        self._phases = rng.uniform(0, 2 * pi, 2)
        self._glow = mood.glow
        down = y[:, :, None] / y[-1, 0]
        self._ground = np.asarray(np.array(mood.top) * (1 - down) + np.array(mood.bottom) * down, np.float32)

    def at(self, turn: float) -> Floats:
        """The room (h, w, 3) in linear light at `turn`, 0 to 2 pi."""
        bend = 9 * look(self._fields[0], self._x, self._y, 20, turn + self._phases[0])
        field = look(self._fields[1], self._x + bend, self._y, 26, turn + self._phases[1])
        glow = np.asarray(cv2.exp(1.1 * field - 1.7), np.float32)
        return np.asarray(cv2.add(self._ground, tint((glow,), (self._glow,), (0, 0, 0))), np.float32)


def expose(light: Floats) -> Floats:
    """R'G'B' 0..1 of linear light: a halo as lenses make it, a soft shoulder, gamma 2."""
    height, width = light.shape[:2]
    small = cv2.resize(light, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    halo = cv2.resize(cv2.GaussianBlur(small, (0, 0), width / 8 * 0.09), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.sqrt(1.0 - cv2.exp(-1.25 * cv2.scaleAdd(halo, 0.6, light))), np.float32)


def frames(seed: int, width: int, height: int, count: int) -> Iterator[Bytes]:
    """`count` I420 frames (height * 3 / 2, width): the last flows into the first. The next one overwrites each."""
    rng = np.random.default_rng(seed)
    mood = MOODS[seed % len(MOODS)]
    film = Film(width, height, seed)
    w, h = width * 2 // 5, height * 2 // 5
    room = Room(rng, mood, w, h)
    lamps = [lamp(rng, mood, w, h) for _ in range(LIGHTS)]
    for k in range(count):
        turn = 2 * pi * k / count
        picture = room.at(turn)
        for each in lamps:
            each.draw(picture, turn)
        yield film.develop(expose(picture))
