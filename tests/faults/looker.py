"""Looks at the files that it is given, and makes a film of each that passes, as the worker would.

`python -m tests.faults.looker WORK FILE...` writes one line of JSON: what came of each file, and the most memory (MB)
that any process took for it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from render.errors import RenderError
from render.executor import render
from render.ffmpeg import FFmpeg
from render.inspect import inspect_clip
from render.shots import Clip
from render.spec import parse_template
from render.template import compile_template
from tests import media

# Far more than any of these files may take: it only bounds a failure.
LONGEST_S = 60.0
REQUEST = {"video": {"duration": 1, "speed": 1}, "output": {"width": 128, "height": 224, "fps": 10}}


def main(work: Path, paths: list[Path]) -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda path: _look(path, work), paths))
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"outcomes": outcomes, "peak_mb": peak_mb}))


def _look(path: Path, work: Path) -> str:
    """`film`, or why there is none."""
    until = time.monotonic() + LONGEST_S
    ffmpeg = FFmpeg(media.FFMPEG).watched(lambda: time.monotonic() > until)
    folder = work / f"{abs(hash(path))}"
    folder.mkdir()
    try:
        seen = inspect_clip(path, ffmpeg)
        if seen.defect or seen.info is None or seen.info.video is None:
            return f"refused: {seen.defect}"
        clip = Clip(seen.info, seen.info.video, seen.focus)
        timeline = compile_template(parse_template(REQUEST), 0, [clip], None, None, lambda *font: (Path("unused"),))
        render(timeline, work / f"{folder.name}.mp4", folder, ffmpeg)
    except RenderError as exc:
        return f"{type(exc).__name__}: {exc}"
    return "film"


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
