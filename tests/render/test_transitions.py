"""Clips that give way to each other: how shots are laid out, and what is seen of it."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.ffmpeg import FFmpeg
from render.graph import Lowered, slice_args
from render.layout import Canvas
from render.probe import MediaInfo, VideoInfo
from render.shots import Clip, lay_out
from render.slices import Slice, slices
from render.spec import Video
from render.timeline import Layer, Media, Timeline
from tests import media
from tests.render.films import make

RATES = [Fraction(60), Fraction(30), Fraction(25), Fraction(24), Fraction(50), Fraction(30000, 1001)]


def clip(name: str, seconds: Fraction, rate: Fraction) -> Clip:
    video = VideoInfo(
        width=1080,
        height=1920,
        sar=Fraction(1),
        rate=rate,
        frames=round(seconds * rate),
        duration_s=seconds,
        pixel_format="yuv420p",
        matrix="bt709",
        full_range=False,
        hdr="",
        codec="h264",
    )
    return Clip(MediaInfo(Path(f"/clips/{name}.mp4"), video, None), video)


def laid_out(clips: list[Clip], frames: int, **video: Any) -> list[Layer]:
    asked = Video.model_validate({"transition": "crossfade", **video})
    return list(lay_out(asked, 7, clips, Canvas(1080, 1920), Fraction(30), frames))


def test_shots_overlap_by_the_transition() -> None:
    shots = laid_out([clip("a", Fraction(4), RATES[0]), clip("b", Fraction(9), RATES[0])], 450, transition_duration=1)
    assert [(shot.start, shot.frames) for shot in shots] == [(0, 240), (210, 240)]
    assert shots[0].transition is None
    assert shots[1].transition is not None
    assert (shots[1].transition.kind, shots[1].transition.frames) == ("crossfade", 30)


def test_a_cut_is_no_transition() -> None:
    clips = [clip("a", Fraction(4), RATES[0]), clip("b", Fraction(9), RATES[0])]
    assert [shot.transition for shot in laid_out(clips, 450, transition="cut")] == [None, None]
    assert [shot.start for shot in laid_out(clips, 450, transition="cut")] == [0, 240]


@given(
    st.lists(st.tuples(st.integers(4, 200), st.sampled_from(RATES)), min_size=1, max_size=5),
    st.integers(30, 900),
    st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    st.sampled_from([0.1, 0.5, 2.0, 5.0]),
)
def test_a_film_is_full_and_never_shows_three_clips_at_once(
    clips: list[tuple[int, Fraction]], frames: int, speed: float, length_s: float
) -> None:
    known = [clip(str(number), Fraction(tenths, 10), rate) for number, (tenths, rate) in enumerate(clips)]
    shots = laid_out(known, frames, speed=speed, transition_duration=length_s)
    assert shots[0].start == 0
    assert shots[-1].end == frames
    for before, after in itertools.pairwise(shots):
        overlap = after.transition.frames if after.transition else 0
        assert after.start == before.end - overlap
        assert overlap <= round(length_s * 30)
    for first, third in zip(shots, shots[2:], strict=False):
        assert first.end <= third.start
    parts = slices(Timeline(1080, 1920, Fraction(30), frames, tuple(shots)))
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == frames


def test_a_transition_is_a_slice_with_both_clips() -> None:
    first, second = shots = laid_out([clip("a", Fraction(4), RATES[0]), clip("b", Fraction(9), RATES[0])], 450)
    timeline = Timeline(1080, 1920, Fraction(30), 450, tuple(shots))
    assert slices(timeline) == [
        Slice(0, 225, first),
        Slice(225, 240, first, 0, second),
        Slice(240, 450, second, 225),
    ]
    args = slice_args(Lowered(timeline), slices(timeline)[1], 1, Path("out.mp4"))
    assert [name for name in args if name.startswith("file:")] == ["file:/clips/a.mp4", "file:/clips/b.mp4"]
    graph = args[args.index("-filter_complex") + 1]
    assert "xfade=transition=fade:duration=500000us:offset=0,settb=1/30,setpts=N+225[ground]" in graph


def counting(path: Path, rate: str, first: int, step: int) -> Path:
    """Three seconds whose light tells the frame."""
    light = f"geq=lum='{first}+{step}*N':cb=128:cr=128"
    return media.clip(path, "color=c=gray", size="64x112", rate=rate, seconds=3, filters=(light,))


@pytest.mark.parametrize(("rate", "speed"), [("60", 1.0), ("30", 0.5), ("25", 0.5), ("24", 1.0)])
def test_both_clips_run_on_through_it(tmp_path: Path, ffmpeg: FFmpeg, rate: str, speed: float) -> None:
    step = 1 if rate == "60" else 2
    clips = [
        counting(tmp_path / "up.mp4", rate, 40, step),
        counting(tmp_path / "down.mp4", rate, 200, -step),
    ]
    video = {"duration": 4.4 / speed, "speed": speed, "transition": "crossfade", "transition_duration": 0.8}
    output = {"width": 128, "height": 224, "quality": "high"}
    film = make({"video": video, "output": output}, clips, tmp_path, ffmpeg)
    first, second = film.timeline.layers
    assert second.transition is not None
    seen = media.frames(film.path, 128, 224).mean(axis=(1, 2, 3))
    expected = [_light(number, first, second, step) for number in range(film.timeline.frames)]
    assert np.abs(seen - expected).max() < 3


def _light(number: int, first: Layer, second: Layer, step: int) -> float:
    """What a frame of the film shows by arithmetic: the grey of each clip by its place, mixed by the transition."""
    greys = []
    for layer, start, sign in ((first, 40, 1), (second, 200, -1)):
        assert isinstance(layer.content, Media)
        passed = (number - layer.start) / 30 * layer.content.speed + layer.content.start_s
        luma = start + sign * step * float(passed * layer.content.rate)
        greys.append((luma - 16) * 255 / 219)
    assert second.transition is not None
    share = min(max((number + 0.5 - second.start) / second.transition.frames, 0), 1)
    return greys[0] * (1 - share) + greys[1] * share


@pytest.mark.parametrize("kind", ["dip", "push", "wipe"])
def test_other_ways_begin_with_one_clip_and_end_with_the_other(tmp_path: Path, ffmpeg: FFmpeg, kind: str) -> None:
    colors = [
        media.clip(tmp_path / f"{name}.mp4", f"color=c={name}", size="64x112", seconds=3) for name in ("red", "lime")
    ]
    video = {"duration": 4.4, "speed": 1, "transition": kind, "transition_duration": 1}
    film = make({"video": video, "output": {"width": 128, "height": 224}}, colors, tmp_path, ffmpeg)
    crossing = film.timeline.layers[1]
    frames = media.frames(film.path, 128, 224).astype(int)
    assert np.abs(frames[crossing.start - 1] - [255, 0, 0]).max() < 40
    assert np.abs(frames[crossing.start + 30] - [0, 255, 0]).max() < 40
    half = frames[crossing.start + 15]
    if kind == "dip":
        assert min(frame.max() for frame in frames) < 20
    else:
        assert half[:20].mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=40)
        assert half[-20:].mean(axis=(0, 1)) == pytest.approx([0, 255, 0], abs=40)
