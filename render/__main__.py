"""`python -m render TIMELINE.json OUT.mp4 [--dry-run]` renders a stored Timeline again: the debugging door.

`vix render SPEC.json --timeline --dry-run` writes such a file.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

from render import graph
from render.atlas import lower
from render.errors import RenderError
from render.executor import render
from render.ffmpeg import FFmpeg
from render.slices import slices
from render.timeline import Timeline, from_json


def main(argv: list[str]) -> int:
    """Render, or with `--dry-run` print the FFmpeg arguments of each slice."""
    parser = argparse.ArgumentParser(prog="python -m render", description="Render a stored Timeline.")
    parser.add_argument("timeline", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dry-run", action="store_true", help="print FFmpeg's arguments and render nothing")
    options = parser.parse_args(argv)
    try:
        timeline = from_json(options.timeline.read_text())
        with tempfile.TemporaryDirectory() as folder:
            if options.dry_run:
                _show(timeline, Path(folder), options.out)
            else:
                render(timeline, options.out.absolute(), Path(folder), FFmpeg(imageio_ffmpeg.get_ffmpeg_exe()))
    except (RenderError, ValueError, OSError) as exc:
        print(f"render: {exc}", file=sys.stderr)
        return 1
    return 0


def _show(timeline: Timeline, folder: Path, out: Path) -> None:
    lowered, _ = lower(timeline, folder)
    for part in slices(timeline):
        print(shlex.join(["ffmpeg", *graph.slice_args(lowered, part, 1, out)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
