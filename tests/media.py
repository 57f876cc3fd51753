"""Makes and measures media for tests, with the FFmpeg that ships. Knows nothing of the code under test."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
Frames = NDArray[np.uint8]


def run(*args: str) -> bytes:
    """Run FFmpeg and return its standard output; a failure shows its message."""
    done = subprocess.run(
        [FFMPEG, "-v", "error", "-y", *args], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def clip(
    path: Path,
    source: str = "testsrc2",
    *,
    size: str = "270x480",
    rate: str = "30",
    seconds: float = 2,
    video: tuple[str, ...] = ("-pix_fmt", "yuv420p"),
    sound_s: float = 0,
    filters: tuple[str, ...] = (),
) -> Path:
    """Write a clip from a lavfi source and filters, with a sound track of `sound_s` seconds where that is not 0."""
    first = ":" if "=" in source else "="
    graph = f"{source}{first}size={size}:rate={rate}:duration={seconds}" + "".join(f",{step}" for step in filters)
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={sound_s}"] if sound_s else []
    audio = ["-map", "1:a", "-c:a", "aac"] if sound_s else []
    codec = [] if "-c:v" in video else ["-c:v", "libx264", "-preset", "ultrafast"]
    encode = [*codec, *video]
    run("-f", "lavfi", "-i", graph, *sound, "-map", "0:v", *audio, *encode, str(path))
    return path


def eval_rate(rate: str) -> float:
    """Read `30` or `30000/1001`."""
    top, _, bottom = rate.partition("/")
    return float(top) / float(bottom or 1)


def rotated(source: Path, path: Path, degrees: int) -> Path:
    """Copy a clip with a rotation mark, as phones write it."""
    run("-display_rotation", str(degrees), "-i", str(source), "-c", "copy", str(path))
    return path


def tone(path: Path, *, seconds: float = 3, frequency: int = 440, volume: float = 0.5) -> Path:
    """Write a steady tone of a known amplitude."""
    run("-f", "lavfi", "-i", f"aevalsrc={volume}*sin(2*PI*{frequency}*t):s=48000:d={seconds}", str(path))
    return path


def sound(path: Path, samples: NDArray[np.float32], *codec: str, rate: int = 48_000) -> Path:
    """Write samples [n, channels] of -1..1, by the codec and container that options and suffix name."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(samples.astype("<f4").tobytes())
    shape = ("-ar", str(rate), "-ac", str(samples.shape[1]))
    run("-f", "f32le", *shape, "-i", str(raw), *codec, str(path))
    raw.unlink()
    return path


def music(seconds: float, *, seed: int = 1, rate: int = 48_000) -> NDArray[np.float32]:
    """Something like music, [n, 2]: four chords a second or so, plucked, a beat of noise, never above half of full
    scale."""
    chance = np.random.default_rng(seed)
    t = np.arange(rate) / rate
    envelope = np.exp(-3 * t) * np.clip(t * 200, 0, 1) * np.clip((1 - t) * 20, 0, 1)
    wave = np.zeros((round(seconds * rate) + rate, 2))
    for start in range(0, round(seconds * rate), round(0.27 * rate)):
        note = np.repeat((np.exp(-40 * t) * chance.normal(0, 0.3, rate))[:, None], 2, axis=1)
        for frequency in chance.choice([110, 165, 220, 262, 330, 392, 523, 880], 3, replace=False):
            note += (envelope * np.sin(2 * np.pi * frequency * t))[:, None] * chance.uniform(0.3, 1, 2)
        wave[start : start + rate] += note
    return np.asarray(0.5 * wave[:-rate] / np.abs(wave).max(), np.float32)


@dataclass(frozen=True)
class Heard:
    """Integrated loudness in LUFS and true peak in dBTP, as FFmpeg's meter sums them up."""

    lufs: float
    true_peak_dbtp: float


def loudness(path: Path, *steps: str) -> Heard:
    """Measure a file's sound after some filters."""
    chain = ",".join([*steps, "ebur128=peak=true:framelog=quiet"])
    command = [FFMPEG, "-hide_banner", "-nostats", "-i", str(path), "-map", "0:a", "-af", chain, "-f", "null", "-"]
    log = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stderr.decode()
    lufs, peak = (re.findall(rf"{name}: +(\S+) ", log)[-1] for name in ("I", "Peak"))
    return Heard(float(lufs), float(peak))


def frames(path: Path, width: int, height: int, *, pixels: str = "rgb24", extra: tuple[str, ...] = ()) -> Frames:
    """Decode every frame to RGB [n, h, w, 3] (or grey [n, h, w]), by BT.709 as players do."""
    scale = ("-vf", f"scale={width}:{height}:in_color_matrix=bt709:flags=bicubic")
    raw = run(
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        *(extra or scale),
        "-pix_fmt",
        pixels,
        "-f",
        "rawvideo",
        "-",
    )
    array = np.frombuffer(raw, np.uint8)
    return array.reshape(-1, height, width) if pixels == "gray" else array.reshape(-1, height, width, 3)


def samples(path: Path) -> NDArray[np.float32]:
    """Decode the sound to [n, 2] floats at 48 kHz."""
    raw = run("-i", str(path), "-map", "0:a", "-f", "f32le", "-ac", "2", "-ar", "48000", "-")
    return np.frombuffer(raw, np.float32).reshape(-1, 2)


@dataclass(frozen=True)
class Packet:
    """One packet of the picture, in decode order."""

    pts_s: float
    key: bool


def packets(path: Path) -> list[Packet]:
    """List the picture's packets."""
    text = run("-i", str(path), "-map", "0:v", "-c", "copy", "-f", "framecrc", "-").decode()
    tick = next(line.split()[-1] for line in text.splitlines() if line.startswith("#tb 0"))
    unit = eval_rate(tick)
    rows = [line.split(",") for line in text.splitlines() if line[:1].isdigit()]
    # framecrc writes a packet's flags only where they are not those of a key frame.
    return [Packet(int(row[2]) * unit, not any("F=" in part for part in row)) for row in rows]


def header(path: Path) -> str:
    """What FFmpeg prints about a file."""
    done = subprocess.run([FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False)
    return done.stderr.decode()
