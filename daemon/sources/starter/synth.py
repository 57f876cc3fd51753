"""The instruments of the music beds: pad, bell, bass and room, all written into a ring of sound that has no end.

Knows nothing of the pieces. Runs in the generating child process only (numpy).
"""

from __future__ import annotations

from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
TABLE = 4_096
CENT = 2 ** (1 / 1200)

Wave = NDArray[np.float32]


def pitch(note: float) -> float:
    """Hz of a MIDI note number; A4 = 69 = 440 Hz, equal temperament."""
    return float(440.0 * 2 ** ((note - 69) / 12))


class Ring:
    """A stereo buffer (n, 2) that wraps: what sounds past its end is heard at its beginning, so it has no seam."""

    def __init__(self, seconds: float) -> None:
        self.samples = np.zeros((round(seconds * RATE), 2), np.float32)

    def add(self, sound: Wave, at_s: float, pan: float = 0.0) -> None:
        """Add a mono (n,) or stereo (n, 2) sound that starts at `at_s`; `pan` -1 is left, 1 is right, equal power."""
        if sound.ndim == 1:
            angle = (pan + 1) * pi / 4
            sound = sound[:, None] * np.array([np.cos(angle), np.sin(angle)], np.float32)
        start = round(at_s * RATE) % len(self.samples)
        while len(sound):
            part = sound[: len(self.samples) - start]
            self.samples[start : start + len(part)] += part
            sound, start = sound[len(part) :], 0


def swell(seconds: float, attack_s: float, release_s: float) -> Wave:
    """A volume curve that rises and falls along half cosines; `release_s` follows after `seconds`."""
    curve = np.ones(ceil((seconds + release_s) * RATE), np.float32)
    up, down = round(min(attack_s, seconds) * RATE), round(release_s * RATE)
    curve[:up] = 0.5 - 0.5 * np.cos(np.linspace(0, pi, up, endpoint=False))
    curve[len(curve) - down :] *= (0.5 + 0.5 * np.cos(np.linspace(0, pi, down))).astype(np.float32)
    return curve


def sawtooth(frequency: float, cutoff: float) -> Wave:
    """One period of a sawtooth behind a low-pass of 12 dB an octave at `cutoff` Hz: a sum of sines: nothing aliases."""
    angle = np.arange(TABLE) * (2 * pi / TABLE)
    harmonics = np.arange(1, max(2, int(min(6 * cutoff, 12_000) / frequency)))
    levels = 1.0 / harmonics / (1.0 + (harmonics * frequency / cutoff) ** 2)
    return np.asarray((np.sin(np.outer(angle, harmonics)) * levels).sum(axis=1), np.float32)


def play_table(table: Wave, frequency: float, count: int, phase: float) -> Wave:
    """`count` samples of the table repeated at `frequency` Hz from `phase` (0 to 1), interpolated."""
    steps = (np.arange(count) * (frequency / RATE) + phase) * TABLE
    whole = steps.astype(np.int64)
    rest = (steps - whole).astype(np.float32)
    low = table[whole & (TABLE - 1)]
    return np.asarray(low + (table[(whole + 1) & (TABLE - 1)] - low) * rest, np.float32)


def pad(rng: np.random.Generator, note: float, seconds: float, bright: float = 1700.0) -> Wave:
    """A soft string-like note (n, 2): three detuned sawtooths across the stereo field that open and close slowly."""
    curve = swell(seconds, 2.8, 4.2)
    breath = 0.5 - 0.5 * np.cos(np.linspace(rng.uniform(0, 1), 2 * pi, len(curve), dtype=np.float32))
    sound = np.zeros((len(curve), 2), np.float32)
    dark, light = sawtooth(pitch(note), bright * 0.35), sawtooth(pitch(note), bright)
    for cents, left in ((-6.0, 0.74), (0.5, 0.5), (6.5, 0.26)):
        frequency, phase = pitch(note) * CENT**cents, rng.random()
        voice = play_table(dark, frequency, len(curve), phase)
        voice += 0.6 * breath * (play_table(light, frequency, len(curve), phase) - voice)
        sound += voice[:, None] * np.sqrt(np.array([left, 1 - left], np.float32))
    return sound * (curve * np.float32(0.3))[:, None]


def bell(note: float, seconds: float = 4.0) -> Wave:
    """A mellow electric-piano note (n,): few partials, the higher the shorter, with a hint of a tine."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for ratio, level, decay_s in ((1, 1.0, 1.5), (2.001, 0.30, 0.8), (3.003, 0.14, 0.5), (5.43, 0.06, 0.18)):
        sound += level * np.sin(2 * pi * pitch(note) * ratio * time) * np.exp(-time / decay_s)
    sound *= np.minimum(time / 0.006, 1.0) * np.minimum((seconds - time) / 0.3, 1.0)
    return np.asarray(sound, np.float32)


def bass(note: float, seconds: float, attack_s: float, release_s: float) -> Wave:
    """A round bass note (n,): a sine with a little of its octaves, so that small loudspeakers hint at it too."""
    curve = swell(seconds, attack_s, release_s)
    angle = np.arange(len(curve)) * (2 * pi * pitch(note) / RATE)
    return np.asarray((np.sin(angle) + 0.34 * np.sin(2 * angle) + 0.09 * np.sin(3 * angle)) * curve, np.float32)


def room(rng: np.random.Generator, seconds: float) -> Wave:
    """The answer (n, 2) of a large soft hall: decaying noise whose high notes die first; each side its own."""
    time = np.arange(round(seconds * RATE)) / RATE
    answer = np.zeros((len(time), 2))
    frequency = np.fft.rfftfreq(len(time), 1 / RATE)
    for centre, level, share in ((320, 0.5, 1.0), (900, 1.0, 0.85), (2400, 0.7, 0.6), (6000, 0.35, 0.35)):
        shape = np.exp(-2.0 * np.log2(np.maximum(frequency, 1) / centre) ** 2)
        both, each = rng.standard_normal((len(time), 1)), rng.standard_normal((len(time), 2))
        noise = np.fft.rfft(0.6 * both + 0.8 * each, axis=0) * shape[:, None]
        band = np.fft.irfft(noise, len(time), axis=0)
        answer += level * band / band.std() * np.exp(-6.9 * time / (seconds * share))[:, None]
    answer *= np.minimum(time / 0.02, 1.0)[:, None]
    return np.asarray(answer / np.sqrt((answer**2).sum(axis=0)), np.float32)


def reverberate(ring: Ring, answer: Wave, wet: float) -> None:
    """Put the ring into the room: circular convolution, so that the tail of the end is heard at the beginning."""
    count = len(ring.samples)
    for side in (0, 1):
        spectrum = np.fft.rfft(ring.samples[:, side]) * np.fft.rfft(answer[:count, side], count)
        ring.samples[:, side] += np.float32(wet) * np.fft.irfft(spectrum, count).astype(np.float32)
