"""One finished file at a time: written as `*.part`, synced, then renamed. Runs in the generating child process only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from daemon.sources.starter import Size, light, music, stars, waves
from daemon.sources.starter import logo as emblem
from daemon.sources.starter.synth import RATE
from render.ffmpeg import FFmpeg

FPS = 60
WALL_S = 3_600.0
GENERATORS = {"light": light.frames, "stars": stars.frames, "waves": waves.frames}

# Two thirds of superfast's CPU. Macroblock-tree keeps the still grain at a fifth of the bytes: it codes well what later
# frames refer to. aq-mode 3 spends bits on the dark, where steps would show.
_X264 = "cabac=1:8x8dct=1:aq-mode=3:deblock=0,0:bframes=2:b-adapt=0:mbtree=1:rc-lookahead=10:weightp=0"
_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def clip(path: Path, ffmpeg: FFmpeg, style: str, seed: int, size: Size, on_progress: Callable[[float], None]) -> None:
    """A silent H.264 High clip, 60 fps, yuv420p, bt709. Raises FFmpegError, OSError."""
    cv2.setNumThreads(1)  # the caller runs as many children as there are cores
    frames = GENERATORS[style](seed, size.width, size.height, size.frames)
    chunks = _counted((frame.data.cast("B") for frame in frames), size.frames, on_progress)
    shape = ["-pix_fmt", "yuv420p", "-s", f"{size.width}x{size.height}", "-r", str(FPS)]
    source = ["-f", "rawvideo", *shape, "-i", "pipe:0"]
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-x264-params", _X264, "-profile:v", "high"]
    # A key frame a second: one picture out of the middle, such as a preview, costs decoding from the one before.
    layout = ["-g", str(FPS), "-threads", "1", "-movflags", "+faststart", "-f", "mp4"]
    with part_of(path) as part:
        ffmpeg.feed(
            [*source, "-vf", _TAGS, *encoder, *layout, "-y", f"file:{part}"], chunks, wall_s=WALL_S, writes=part.parent
        )


def bed(path: Path, ffmpeg: FFmpeg, name: str, seconds: float) -> None:
    """A stereo AAC track, 48 kHz, 160 kbit/s. Raises FFmpegError, OSError."""
    sound = music.BEDS[name](seconds).data.cast("B")
    source = ["-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", "pipe:0"]
    encoder = ["-c:a", "aac", "-b:a", "160k", "-movflags", "+faststart", "-f", "ipod"]
    with part_of(path) as part:
        ffmpeg.feed([*source, *encoder, "-y", f"file:{part}"], [sound], wall_s=WALL_S, writes=part.parent)


def logo(path: Path) -> None:
    """The emblem as PNG. Raises OSError."""
    with part_of(path) as part:
        emblem.draw().save(part, format="PNG", optimize=True)


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` if all went well and is removed if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # never write into what a dying process may still hold open
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _counted(chunks: Iterable[memoryview], count: int, on_progress: Callable[[float], None]) -> Iterator[memoryview]:
    for k, chunk in enumerate(chunks):
        yield chunk
        if k % 16 == 15:
            on_progress((k + 1) / count)
