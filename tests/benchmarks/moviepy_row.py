"""Row 2: the same film made by MoviePy, in its own environment."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from render.timeline import Media, from_json
from tests.benchmarks import films
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.measure import run
from tests.benchmarks.report import Outcome

TARGET = 1 / 7
SHORT_S = 10.0
_STYLE = "detail"
_SCRIPT = Path(__file__).with_name("moviepy_film.py")


def moviepy(bench: Bench) -> Outcome:
    """Compare CPU of both processes, start of Python included. Short films unless all of it is asked for: MoviePy takes
    minutes, and what a start costs speaks against us."""
    if bench.moviepy_python is None:
        return Outcome("not measured: no --moviepy-python", None)
    seconds = bench.seconds if bench.full else min(SHORT_S, bench.seconds)
    repeat = bench.repeat if bench.full else 1
    timeline = films.compiled(bench, films.request(_STYLE, seconds), "moviepy")
    out = bench.new("films")
    order = _order(bench, timeline, seconds, out / "moviepy.mp4")
    say(f"MoviePy: {seconds:g} s of film, {repeat} x ...")
    pairs = [
        (run([bench.moviepy_python, _SCRIPT, order], cwd=bench.folder), films.ours(bench, timeline, out / "beside.mp4"))
        for _ in range(repeat)
    ]
    theirs_s, ours_s = (median(values) for values in ([a.cpu_s for a, _ in pairs], [b.used.cpu_s for _, b in pairs]))
    ratio = median(mine.used.cpu_s / theirs.cpu_s for theirs, mine in pairs)
    line = (
        f"CPU s of {seconds:g} s of film ({_STYLE}): MoviePy {theirs_s:.2f}, ours {ours_s:.2f}; runs of each: {repeat}"
    )
    figures = {"seconds": seconds, "moviepy_cpu_s": theirs_s, "ours_cpu_s": ours_s, "ratio": ratio}
    return Outcome(f"1/{1 / ratio:.1f} ({ratio:.3f})", ratio <= TARGET, (line,), figures)


def _order(bench: Bench, timeline: Path, seconds: float, out: Path) -> Path:
    ground = from_json(timeline.read_text()).layers[0].content
    assert isinstance(ground, Media)
    path = bench.new("specs") / "moviepy-order.json"
    order = {
        "clip": str(ground.path),
        "start_s": float(ground.start_s),
        "seconds": seconds,
        "speed": films.SPEED,
        "fps": films.FPS,
        "brightness": films.BRIGHTNESS,
        "saturation": films.SATURATION,
        "text": films.TEXT,
        "text_px": films.TEXT_PX,
        "text_times": films.text_times(seconds),
        "text_fade_s": films.TEXT_FADE_S,
        "signature": films.SIGNATURE,
        "signature_px": films.SIGNATURE_PX,
        "font": str(films.FONT_FILE),
        "logo": str(bench.footage.logo),
        "logo_px": films.LOGO_PX,
        "music": str(bench.footage.music),
        "music_fade_s": films.music_fade_s(seconds),
        "out": str(out),
    }
    path.write_text(json.dumps(order))
    return path
