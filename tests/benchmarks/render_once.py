"""A process that renders one Timeline and prints the CPU seconds of FFmpeg; the benchmark measures it from outside."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from render.executor import Options, render
from render.ffmpeg import FFmpeg
from render.timeline import from_json


def main(timeline: Path, out: Path, ffmpeg: str, threads: int) -> None:
    """Render as the worker does. It imports nothing but the renderer, whose cost this is about."""
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        rendered = render(from_json(timeline.read_text()), out, Path(work), FFmpeg(ffmpeg), Options(threads=threads))
    print(rendered.cpu_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
