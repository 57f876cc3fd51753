"""A track's file -> what a film needs to know of its sound: how loud it is, where it begins, whether it can be looped.

Heard by FFmpeg as the film's sound is: 48 kHz, stereo. Only as much is heard as the longest film plays.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from render.errors import FFmpegFailed, MediaError
from render.ffmpeg import FFmpeg, source
from render.loudness import BLOCK_S, amplitude, decibels
from render.probe import probe
from render.sound import SAMPLE_RATE, as_stereo

# The longest film, and a minute of silence that may stand before the music.
HEARD_S = 660
_WALL_S = 900.0  # an eighth of a core takes minutes to decode ten
# Silence is -60 dB of full scale. A shorter pause may be part of the music: a drum loop ends with one.
_SILENCE, _SILENCE_S = 0.001, 0.5
# FFmpeg's meter reports every tenth of a second.
_STEP = SAMPLE_RATE // 10
_STEPS_A_BLOCK = round(BLOCK_S * SAMPLE_RATE / _STEP)
# How sharply a wave bends is the second difference of its samples. A seam may bend as sharply as a tenth of the music's
# stretches of 100 ms do, so that a drum may begin there, and a little more. It is looked at for 5 ms on both sides,
# where coding has left its traces of the edge. What is below _INAUDIBLE is none.
_BEND = "biquad=b0=1:b1=-2:b2=1:a0=1:a1=0:a2=0"
_BEND_SHARE, _BEND_SLACK = 0.9, 1.5
_EDGE = SAMPLE_RATE // 200
_INAUDIBLE = 0.001
_LEAST_DBTP = -99.0
_LEAST = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True)
class Track:
    """A track as a film hears it, without the silence before and after it.

    `end_s` is None where it is longer than any film. `blocks_lufs` is the loudness of each BLOCK_S from `start_s` on.
    `seamless` says that its end can be joined to its beginning without a click. `mono`: it has a single channel.
    """

    path: Path
    mono: bool
    start_s: Fraction
    end_s: Fraction | None
    blocks_lufs: tuple[float, ...]
    true_peak_dbtp: float
    seamless: bool


def listen(path: Path, ffmpeg: FFmpeg) -> Track:
    """Measure a track.

    Raises:
        MediaError: it cannot be read, or holds no sound.
        FFmpegError: FFmpeg itself could not do its work, which says nothing about the file.
    """
    info = probe(path, ffmpeg)
    if info.audio is None:
        raise MediaError(f"{path.name} holds no sound")
    mono = info.audio.channels == 1
    meter = _metered(path, mono, ffmpeg)
    start, end = _without_silence(meter)
    if meter.samples >= HEARD_S * SAMPLE_RATE - _STEP:
        end, seamless = None, False
    else:
        edges = _edges(path, mono, start, end, meter.samples, ffmpeg)
        end, seamless = edges.end, joins(edges.last, edges.first, _usual_bend(meter.bends))
        if end - start < _LEAST:
            raise MediaError(f"{path.name} holds a sound that is too short to be music")
    return Track(
        path=path,
        mono=mono,
        start_s=Fraction(start, SAMPLE_RATE),
        end_s=None if end is None else Fraction(end, SAMPLE_RATE),
        blocks_lufs=tuple(_blocks(meter.momentary_lufs, start, end)),
        true_peak_dbtp=round(max(_LEAST_DBTP, decibels(meter.true_peak)), 2),
        seamless=seamless,
    )


@dataclass(slots=True)
class _Meter:
    """What FFmpeg's meters have said: loudness of the 0.4 s up to each step, and how sharply the wave bends in it at
    the most; silences as [start, end] in seconds; the true peak."""

    momentary_lufs: list[float]
    bends: list[float]
    silences: list[tuple[float, float]]
    true_peak: float = 0.0

    @property
    def samples(self) -> int:
        """How many samples were metered; up to a step more may follow."""
        return len(self.momentary_lufs) * _STEP


def _metered(path: Path, mono: bool, ffmpeg: FFmpeg) -> _Meter:
    steps = [
        *as_stereo(mono),
        f"atrim=end_sample={HEARD_S * SAMPLE_RATE}",
        f"silencedetect=noise={_SILENCE}:duration={_SILENCE_S}",
        "ebur128=metadata=1:peak=true",
        f"{_BEND},astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=Peak_level",
        "ametadata=print:file=-",
    ]
    args = ["-v", "error", *source(path, "-vn", "-sn", "-dn"), "-map", "0:a:0", "-af", ",".join(steps)]
    return _read(_captured([*args, "-f", "null", "-"], path, ffmpeg).decode("ascii", "replace"))


def _read(printed: str) -> _Meter:
    meter = _Meter([], [], [])
    for line in printed.splitlines():
        name, _, value = line.partition("=")
        if name == "lavfi.r128.M":
            meter.momentary_lufs.append(float(value))
        elif name == "lavfi.r128.true_peak":
            meter.true_peak = float(value)  # so far
        elif name == "lavfi.astats.Overall.Peak_level":
            meter.bends.append(amplitude(float(value)))
        elif name == "lavfi.silence_start":
            meter.silences.append((max(0.0, float(value)), math.inf))
        elif name == "lavfi.silence_end" and meter.silences:
            meter.silences[-1] = (meter.silences[-1][0], float(value))
    return meter


def _without_silence(meter: _Meter) -> tuple[int, int | None]:
    """The first sample that is no silence, and the one from which nothing but silence follows; None: there is none."""
    start, end = 0, None
    if meter.silences and meter.silences[0][0] == 0 and meter.silences[0][1] < math.inf:
        start = math.floor(meter.silences[0][1] * SAMPLE_RATE)
    if meter.silences and meter.silences[-1][1] == math.inf and meter.silences[-1][0] > 0:
        end = math.ceil(meter.silences[-1][0] * SAMPLE_RATE)
    return start, end


def _blocks(momentary_lufs: Sequence[float], start: int, end: int | None) -> Iterator[float]:
    """Every fourth of the values that overlap, from the first one that lies behind `start`, and at least one."""
    first = math.ceil(start / _STEP) + _STEPS_A_BLOCK - 1
    last = len(momentary_lufs) if end is None else min(len(momentary_lufs), math.ceil(end / _STEP))
    chosen = momentary_lufs[first:last:_STEPS_A_BLOCK] or momentary_lufs[-1:] or [_LEAST_DBTP]
    return (round(max(_LEAST_DBTP, value), 1) for value in chosen)


@dataclass(frozen=True, slots=True)
class _Edges:
    """The sample at which the sound ends, and the first and last ones, [n][2]."""

    end: int
    first: list[tuple[float, float]]
    last: list[tuple[float, float]]


def _edges(path: Path, mono: bool, start: int, end: int | None, metered: int, ffmpeg: FFmpeg) -> _Edges:
    """Decode a track once more, now that it is known where to look."""
    tail = max(start, (metered if end is None else end) - _EDGE)
    until = "" if end is None else f":end_sample={end}"
    graph = (
        f"[0:a:0]{','.join(as_stereo(mono))},asplit=2[h][t];"
        f"[h]atrim=start_sample={start}:end_sample={start + _EDGE}[head];"
        f"[t]atrim=start_sample={tail}{until}[tail];[head][tail]concat=n=2:v=0:a=1[edges]"
    )
    args = ["-v", "error", *source(path, "-vn", "-sn", "-dn"), "-filter_complex", graph, "-map", "[edges]"]
    raw = array("f", _captured([*args, "-f", "f32le", "-"], path, ffmpeg))
    samples = list(zip(raw[0::2], raw[1::2], strict=True))
    rest = samples[_EDGE:]
    return _Edges(tail + len(rest), samples[:_EDGE], rest[-_EDGE:])


def _usual_bend(bends: Sequence[float]) -> float:
    """How sharply the wave bends where it does so most, but for its own edges and a few odd places."""
    inside = sorted(bends[2:-2] or bends)
    return inside[int(_BEND_SHARE * (len(inside) - 1))] if inside else 0.0


def joins(end: Sequence[tuple[float, float]], start: Sequence[tuple[float, float]], usual_bend: float) -> bool:
    """Whether samples [n][2] can be followed by others without a click."""
    most = max(_INAUDIBLE, usual_bend * _BEND_SLACK)
    return all(bend <= most for channel in (0, 1) for bend in _bends([sample[channel] for sample in (*end, *start)]))


def _bends(wave: Sequence[float]) -> list[float]:
    return [abs(wave[i] - 2 * wave[i + 1] + wave[i + 2]) for i in range(len(wave) - 2)]


def _captured(args: Sequence[str], path: Path, ffmpeg: FFmpeg) -> bytes:
    try:
        return ffmpeg.capture(args, wall_s=_WALL_S).stdout
    except FFmpegFailed as exc:
        raise MediaError(f"{path.name} holds sound that cannot be decoded") from exc
