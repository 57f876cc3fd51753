"""The film that every pipeline makes: as our request, as a Timeline, as the plain FFmpeg command that is the limit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import ROOT, Bench, python
from tests.benchmarks.measure import Used, run

SPEED = 0.5
FPS = 30
BRIGHTNESS, SATURATION = 1.1, 1.2
TEXT, SIGNATURE = "Slow water, clear mind", "@mychannel"
TEXT_PX, SIGNATURE_PX, LOGO_PX = 64, 32, 150
TEXT_FADE_S = 1.0
FONT = "Montserrat"
FONT_FILE = ROOT / "fonts_cache" / "fonts" / "Montserrat-Regular.ttf"


def text_times(seconds: float) -> tuple[float, float]:
    """When the text comes and goes in a film of that length."""
    return round(seconds * 0.1, 2), round(seconds * 0.9, 2)


def music_fade_s(seconds: float) -> float:
    """Two seconds, where the film is not shorter than both fades."""
    return min(2.0, seconds / 2)


def request(style: str, seconds: float) -> dict[str, Any]:
    """The request with all effects on."""
    start_s, end_s = text_times(seconds)
    return plain_request(style, seconds) | {
        "video": {
            "style": style,
            "duration": seconds,
            "speed": SPEED,
            "brightness": BRIGHTNESS,
            "saturation": SATURATION,
        },
        "audio": {"audio": "music", "fade_in": music_fade_s(seconds), "fade_out": music_fade_s(seconds)},
        "text_overlays": [
            {
                "text": TEXT,
                "font": FONT,
                "font_size": TEXT_PX,
                "start_time": start_s,
                "end_time": end_s,
                "fade_in": TEXT_FADE_S,
                "fade_out": TEXT_FADE_S,
            }
        ],
        "signature": {
            "text": SIGNATURE,
            "font": FONT,
            "font_size": SIGNATURE_PX,
            "opacity": 0.5,
            "positionxy": ["center", "bottom"],
            "margin": [0, 25, 200, 0],
        },
        "logo": {"name": "logo.png", "size": LOGO_PX, "positionxy": ["center", "bottom"], "margin": [0, 25, 25, 0]},
        "output": {"safe_area": "none"},  # Where the other pipelines put theirs.
    }


def plain_request(style: str, seconds: float) -> dict[str, Any]:
    """The request with nothing but the speed change."""
    return {
        "video": {"style": style, "duration": seconds, "speed": SPEED},
        "audio": {"audio": "none"},
        "seed": 1,
    }


@dataclass(frozen=True, slots=True)
class OurFilm:
    """A film that our executor made in a fresh process: the process with FFmpeg, and FFmpeg alone."""

    used: Used
    ffmpeg_cpu_s: float


def compiled(bench: Bench, wanted: dict[str, Any], name: str) -> Path:
    """Compile a request through the command line; the Timeline's file."""
    spec = write_spec(bench, wanted, name)
    data = bench.new("data")
    used = run(python("daemon", "render", spec, "--timeline"), bench.env(data), bench.folder)
    path = spec.with_name(f"{name}.timeline.json")
    path.write_text(used.stdout)
    return path


def write_spec(bench: Bench, wanted: dict[str, Any], name: str) -> Path:
    """Write a request to a file."""
    path = bench.new("specs") / f"{name}.json"
    path.write_text(json.dumps(wanted))
    return path


def ours(bench: Bench, timeline: Path, out: Path) -> OurFilm:
    """Render a Timeline by `render.executor.render` in a Python process of its own."""
    command = python("tests.benchmarks.render_once", timeline, out, bench.ffmpeg, str(bench.threads))
    used = run(command, bench.env(bench.new("data")), bench.folder)
    return OurFilm(used, float(used.stdout))


def whole_command(bench: Bench, spec: Path, out: Path) -> Used:
    """Make the film by `vix render`, as a person would: clips known already, thumbnail included."""
    return run(python("daemon", "render", spec, "-o", out), bench.env(bench.new("data")), bench.folder)


LIMIT_FILTER = f"setpts={1 / SPEED:g}*PTS"


def limit(bench: Bench, clip: Path, seconds: float, out: Path) -> Used:
    """Make the film by FFmpeg with the speed change only: veryfast, crf 23, its own choice of threads, no sound."""
    return run(
        [
            *(bench.ffmpeg, "-nostdin", "-v", "error", "-y", "-i", clip, "-vf", LIMIT_FILTER, "-r", str(FPS)),
            *("-t", f"{seconds:g}", "-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"),
            *("-pix_fmt", "yuv420p", out),
        ],
        cwd=bench.folder,
    )
