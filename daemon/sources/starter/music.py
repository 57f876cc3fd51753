"""The two music beds: `calm-horizon`, a wide slow air in D major, and `night-drive`, a soft pulse in A minor.

Knows nothing of files. Runs in the generating child process only (numpy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from daemon.sources.starter.synth import Ring, Wave, bass, bell, pad, reverberate, room

# Above this level a soft knee begins; nothing passes CEILING (-3.1 dBFS), so that AAC has headroom.
KNEE, CEILING = 0.45, 0.70

# Brings both beds to about -16 LUFS.
GAIN = 0.35


@dataclass(frozen=True, slots=True)
class Chord:
    """MIDI notes: the bass, the pad from low to high, and a melody of (beat, note)."""

    root: int
    notes: tuple[int, ...]
    melody: tuple[tuple[float, int], ...] = ()


# Dmaj9 Bm11 Gmaj9 Asus | F#m7 Gmaj9 Em9 A9sus: inner voices stay or move by step.
HORIZON = (
    Chord(38, (50, 57, 61, 64, 66), ((0.0, 78), (1.5, 76), (3.0, 73), (5.0, 69))),
    Chord(35, (50, 57, 62, 64, 66), ((0.5, 74), (2.0, 76), (4.5, 78))),
    Chord(43, (50, 57, 59, 62, 66), ((0.0, 81), (1.5, 78), (3.0, 74), (5.5, 71))),
    Chord(45, (52, 57, 59, 62, 64), ((1.0, 76), (4.0, 74), (5.0, 76))),
    Chord(42, (49, 57, 61, 64, 66), ((0.0, 73), (2.0, 76), (3.5, 81), (6.0, 80))),
    Chord(43, (50, 57, 59, 62, 66), ((0.5, 78), (2.5, 74), (5.0, 71))),
    Chord(40, (50, 55, 59, 62, 66), ((0.0, 74), (1.5, 78), (3.0, 79), (5.5, 78))),
    Chord(45, (50, 55, 59, 62, 64), ((1.0, 76), (3.0, 71), (6.0, 74), (7.0, 76))),
)
# Am9 Fmaj9 Cmaj9 G6, twice with other tops, then a turn by way of Dm9 and Em7.
DRIVE = (
    Chord(33, (52, 55, 59, 60), ()),
    Chord(29, (52, 55, 57, 60), ((4.0, 76), (6.0, 79))),
    Chord(36, (52, 55, 59, 62), ((0.0, 74),)),
    Chord(31, (50, 55, 59, 64), ((4.0, 71), (6.5, 74))),
    Chord(33, (52, 55, 59, 60), ((0.0, 72),)),
    Chord(29, (52, 55, 57, 60), ((3.0, 81), (4.0, 79), (6.0, 76))),
    Chord(36, (50, 55, 59, 64), ((0.0, 79),)),
    Chord(31, (50, 55, 59, 62), ((4.0, 74), (5.0, 76), (6.5, 71))),
    Chord(38, (53, 57, 60, 64), ((0.0, 77), (3.0, 76))),
    Chord(33, (52, 55, 59, 60), ((1.0, 72), (4.0, 71))),
    Chord(29, (53, 55, 57, 60), ((0.0, 69), (3.0, 72), (6.0, 76))),
    Chord(28, (50, 55, 59, 62), ((2.0, 74), (5.0, 71))),
)
ARPEGGIO = (0, 2, 1, 3, 2, 1, 3, 2)


def calm_horizon(seconds: float) -> Wave:
    """The slow air (n, 2), float32, -1 to 1, 48 kHz; it loops. `seconds` squeezes or stretches its beat."""
    rng = np.random.default_rng(64)
    ring, beat_s = Ring(seconds), seconds / 64
    for k, chord in enumerate(HORIZON):
        start, long = k * 8 * beat_s, 8 * beat_s
        for i, note in enumerate(chord.notes):
            ring.add(pad(rng, note, long) * (0.30 - 0.025 * i), start - 0.6)
        for beat, note in chord.melody:
            _struck(ring, rng, note, start + beat * beat_s, 0.22)
    reverberate(ring, room(rng, 4.5), 0.6)
    for k, chord in enumerate(HORIZON):  # after the room: a bass with an echo is mud
        ring.add(bass(chord.root, 8 * beat_s, 0.9, 1.8) * np.float32(0.26), k * 8 * beat_s)
    return master(ring, GAIN)


def night_drive(seconds: float) -> Wave:
    """The soft pulse (n, 2), float32, -1 to 1, 48 kHz; it loops. `seconds` squeezes or stretches its beat."""
    rng = np.random.default_rng(72)
    ring, beat_s = Ring(seconds), seconds / 96
    for k, chord in enumerate(DRIVE):
        start = k * 8 * beat_s
        for i, note in enumerate(chord.notes):
            ring.add(pad(rng, note, 8 * beat_s, 1300.0) * (0.36 - 0.02 * i), start - 0.5)
        for half in range(16):
            note = chord.notes[ARPEGGIO[half % 8]] + 12
            level = 0.062 + 0.024 * np.sin(2 * np.pi * (k * 16 + half) / 64)
            ring.add(bell(note, 1.6) * level, start + half * beat_s / 2 + rng.uniform(0, 0.008), 0.55 * (-1) ** half)
        for beat, note in chord.melody:
            _struck(ring, rng, note, start + beat * beat_s, 0.18)
    reverberate(ring, room(rng, 3.4), 0.5)
    for half in range(16 * len(DRIVE)):
        accent = 1.0 if half % 4 == 0 else 0.55 + 0.1 * (half % 2)
        root = DRIVE[half // 16].root + (12 if half % 8 == 7 else 0)
        ring.add(bass(root, 0.4 * beat_s, 0.03, 0.35) * np.float32(0.22 * accent), half * beat_s / 2)
    return master(ring, GAIN)


def _struck(ring: Ring, rng: np.random.Generator, note: int, at_s: float, level: float) -> None:
    """A bell a little early or late, with three echoes that wander from side to side."""
    sound = bell(note) * np.float32(level * rng.uniform(0.75, 1.0))
    at_s += rng.uniform(-0.02, 0.02)
    ring.add(sound, at_s, rng.uniform(-0.25, 0.25))
    for echo, pan in ((1, 0.7), (2, -0.7), (3, 0.5)):
        ring.add(sound * np.float32(0.34**echo), at_s + 0.56 * echo, pan)


def master(ring: Ring, gain: float) -> Wave:
    """The finished sound: `gain`, then a knee that rounds off what is louder than KNEE."""
    sound = ring.samples * np.float32(gain)
    loud = np.abs(sound) - KNEE
    soft = np.sign(sound) * (KNEE + (CEILING - KNEE) * np.tanh(np.maximum(loud, 0.0) / (CEILING - KNEE)))
    return np.asarray(np.where(loud > 0, soft, sound), np.float32)


BEDS: dict[str, Callable[..., Wave]] = {"calm-horizon": calm_horizon, "night-drive": night_drive}
