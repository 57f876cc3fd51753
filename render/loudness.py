"""How loud a stretch of music is, and what gain brings it to a target without harm. Pure numbers; opens no file.

Loudness and its gates are those of ITU-R BS.1770-5, in LUFS; true peaks are dB of full scale (dBTP).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# Loudness is kept of blocks of this length, which do not overlap: 0.1 LU from the standard's overlapping ones.
BLOCK_S = Fraction(2, 5)
# What a finished film stays below, and what its sound is kept to before it is encoded, since AAC adds to peaks.
MOST_DBTP = -1.0
CEILING_DBTP = -2.0
# A track below this is silence with noise in it.
SILENT_LUFS = -60.0
# More gain would lift hiss and hum with the music; more limiting would flatten it.
MOST_GAIN_DB = 12.0
MOST_LIMITED_DB = 6.0

_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE = 0.1  # -10 LU
_SHORT_LU = 1.0


@dataclass(frozen=True, slots=True)
class Level:
    """A factor on the amplitude, and a sentence where it does not lead to what was asked, else nothing."""

    factor: float
    note: str = ""


def integrated_lufs(blocks_lufs: Sequence[float]) -> float:
    """Gated loudness of blocks of equal length; minus infinity where there is only silence."""
    heard = [_power(block) for block in blocks_lufs if block > _ABSOLUTE_GATE_LUFS]
    if not heard:
        return -math.inf
    gate = _mean(heard) * _RELATIVE_GATE
    return 10 * math.log10(_mean([power for power in heard if power > gate]))


def repeated(blocks_lufs: Sequence[float], length_s: Fraction) -> Sequence[float]:
    """The blocks that are heard when a track is played for that long, from its beginning and over again."""
    count = max(1, round(length_s / BLOCK_S))
    return (list(blocks_lufs) * math.ceil(count / max(1, len(blocks_lufs))))[:count]


def level(name: str, loudness_lufs: float, true_peak_dbtp: float, target_lufs: float | None) -> Level:
    """What brings music of that loudness to the target; None leaves it as it is, and so does silence.

    Down by any amount, up by no more than is good for it: see MOST_GAIN_DB and MOST_LIMITED_DB.
    """
    if target_lufs is None:
        return Level(1.0)
    if loudness_lufs < SILENT_LUFS:
        return Level(1.0, f"{name} holds next to nothing to be heard, so it was left as it is")
    wanted_db = target_lufs - loudness_lufs
    room_db = CEILING_DBTP + MOST_LIMITED_DB - true_peak_dbtp
    gain_db = min(wanted_db, max(0.0, min(MOST_GAIN_DB, room_db)))
    return Level(amplitude(gain_db), _note(name, loudness_lufs + gain_db, wanted_db - gain_db, target_lufs, room_db))


def _note(name: str, reached_lufs: float, short_lu: float, target_lufs: float, room_db: float) -> str:
    if short_lu < _SHORT_LU:
        return ""
    why = "its peaks stand too far out" if room_db < MOST_GAIN_DB else "its noise would come up with it"
    return f"{name} comes out at about {reached_lufs:.0f} LUFS instead of {target_lufs:g}: {why}"


def amplitude(db: float) -> float:
    """Decibels as a factor on the amplitude."""
    return float(10 ** (db / 20))


def decibels(factor: float) -> float:
    """A factor on the amplitude as decibels; minus infinity for 0."""
    return 20 * math.log10(factor) if factor > 0 else -math.inf


def _power(lufs: float) -> float:
    return float(10 ** (lufs / 10))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
