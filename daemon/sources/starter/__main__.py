"""The child process that makes one file of the starter library and says on standard output how far it is.

`python -m daemon.sources.starter ROOT FFMPEG FILE WIDTH HEIGHT FRAMES MUSIC_S`, started by `make` only.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from daemon.sources.starter import BEDS, CLIPS, Size
from render.errors import FFmpegError
from render.ffmpeg import FFmpeg

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def main(arguments: list[str]) -> int:
    root, executable, file, width, height, frames, music_s = arguments
    _keep_memory()
    size = Size(int(width), int(height), int(frames), float(music_s))
    try:
        _make(Path(root) / file, FFmpeg(executable), file, size)
    except FFmpegError as exc:
        print(exc.tail, exc, sep="\n", flush=True)
        return 1
    return 0


def _make(path: Path, ffmpeg: FFmpeg, file: str, size: Size) -> None:
    # Imported here: memory must be kept before numpy is loaded.
    from daemon.sources.starter import files

    if file in CLIPS:
        files.clip(path, ffmpeg, *CLIPS[file], size, lambda done: print(f"progress {done:.3f}", flush=True))
    elif file in BEDS:
        files.bed(path, ffmpeg, BEDS[file], size.music_s)
    else:
        files.logo(path)
    print("progress 1", flush=True)


def _keep_memory() -> None:
    """Have glibc keep and reuse the pictures of one frame for the next; giving 2 MB arrays back to the kernel and
    faulting them in again costs more than the arithmetic done on them."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_M_TRIM_THRESHOLD, 256 << 20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
