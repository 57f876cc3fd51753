"""One frame of a Timeline is the frame that the film shows."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from render.errors import MediaError, TextError
from render.ffmpeg import FFmpeg
from render.seconds import frame_at, telling_second
from render.seen import Seen
from render.slices import slices
from render.still import still
from render.timeline import Timeline
from tests import media
from tests.render.films import compiled, make

SMALL = {"width": 270, "height": 480, "quality": "high"}
# So that what differs is the moment, and not the coding.
SOFT = ("gblur=sigma=3", "format=yuv420p")
TEXTS = [
    {"text": "fading", "font_size": 120, "start_time": 0.5, "end_time": 3, "fade_in": 1, "fade_out": 1},
    {"text": "late", "font_size": 90, "start_time": 2, "positionxy": ["top", "center"], "margin": [300, 0, 0, 0]},
]


def seen(timeline: Timeline, frame: int, folder: Path, ffmpeg: FFmpeg) -> NDArray[np.int64]:
    image = Image.open(io.BytesIO(still(timeline, frame, folder, ffmpeg).png))
    assert (image.mode, image.size) == ("RGB", (timeline.width, timeline.height))
    return np.asarray(image).astype(np.int64)


def psnr(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    error = float(((one - other) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize(("rate", "speed"), [("60", 0.5), ("60", 1.0), ("24", 0.5), ("30000/1001", 1.0), ("12", 0.1)])
def test_it_is_the_films_own_frame(tmp_path: Path, ffmpeg: FFmpeg, rate: str, speed: float) -> None:
    """At the start, in fades, at a seam, at the end: like that frame, and less like its neighbours."""
    seconds = 2 * speed + 0.5
    clips = [
        media.clip(tmp_path / f"{name}.mp4", rate=rate, seconds=seconds, video=("-g", "20"), filters=SOFT)
        for name in "ab"
    ]
    data: dict[str, Any] = {
        "video": {"duration": 4, "speed": speed, "fade_in": 1, "fade_out": 1, "brightness": 1.1},
        "text_overlays": TEXTS,
        "signature": {"text": "@me", "font_size": 60},
        "output": SMALL,
    }
    film = make(data, clips, tmp_path, ffmpeg)
    frames = media.frames(film.path, 270, 480).astype(np.int64)
    seam = slices(film.timeline)[-1].start
    for number in (1, 7, 40, *((seam - 1, seam, seam + 1, seam + 13) if seam else ()), 118):
        found = seen(film.timeline, number, tmp_path, ffmpeg)
        likeness = [psnr(found, frames[near]) for near in (number - 1, number, number + 1)]
        assert likeness[1] > 33, (number, likeness)
        assert likeness[1] == max(likeness), (number, likeness)


@pytest.mark.parametrize("kind", ["crossfade", "push"])
def test_it_is_the_films_own_frame_in_what_moves(tmp_path: Path, ffmpeg: FFmpeg, kind: str) -> None:
    clips = [
        media.clip(tmp_path / f"{name}.mp4", source, rate="30", seconds=3, video=("-g", "20"), filters=SOFT)
        for name, source in (("a", "testsrc2"), ("b", "testsrc"))
    ]
    words = {"font_size": 140, "enter_duration": 1, "exit_duration": 1}
    data: dict[str, Any] = {
        "video": {"duration": 5, "speed": 1, "transition": kind, "transition_duration": 0.8},
        "text_overlays": [
            {"text": "rising", "enter": "rise", "exit": "pop", "positionxy": [540, 500], **words},
            {"text": "typed", "enter": "type", "exit": "slide", "positionxy": [540, 1200], **words},
        ],
        "output": SMALL,
    }
    film = make(data, clips, tmp_path, ffmpeg)
    frames = media.frames(film.path, 270, 480).astype(np.int64)
    crossing = film.timeline.layers[1]
    for number in (5, 14, crossing.start, crossing.start + 11, crossing.start + 23, crossing.start + 24, 130, 145):
        found = seen(film.timeline, number, tmp_path, ffmpeg)
        likeness = [psnr(found, frames[near]) for near in (number - 1, number, number + 1)]
        assert likeness[1] > 30, (number, likeness)
        assert likeness[1] == max(likeness), (number, likeness)


def test_in_the_middle_of_movements_and_transitions(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clips = [media.clip(tmp_path / f"{name}.mp4", rate="60", seconds=1.6, filters=SOFT) for name in "ab"]
    move = {"font_size": 160, "enter_duration": 0.7, "exit_duration": 0.5}
    texts = [
        {"text": "first words", "enter": "type", "positionxy": ["center", 500], **move},
        {"text": "then", "enter": "rise", "exit": "slide", "end_time": 2, "fade_in": 0.3, **move},
        {"text": "brief", "enter": "pop", "exit": "pop", "end_time": 1, "positionxy": ["center", 1300], **move},
    ]
    data: dict[str, Any] = {
        "video": {"duration": 3, "speed": 1, "transition": "crossfade", "transition_duration": 0.6},
        "text_overlays": texts,
        "output": SMALL,
    }
    film = make(data, clips, tmp_path, ffmpeg)
    frames = media.frames(film.path, 270, 480).astype(np.int64)
    crossing = next(part for part in slices(film.timeline) if part.coming)
    for number in (3, 12, 21, 25, crossing.start, crossing.start + 9, crossing.end, 55, 59, 75):
        found = seen(film.timeline, number, tmp_path, ffmpeg)
        likeness = [psnr(found, frames[near]) for near in (number - 1, number, number + 1)]
        assert likeness[1] > 31, (number, likeness)
        assert likeness[1] == max(likeness), (number, likeness)


def test_only_what_is_there_is_drawn(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", "color=c=black")
    words = {"text": "HH", "font_size": 200, "start_time": 1, "end_time": 1.5}
    timeline = compiled({"video": {"duration": 2}, "text_overlays": [words], "output": SMALL}, [clip], ffmpeg)
    shown = [number for number in (0, 29, 30, 44, 45, 59) if seen(timeline, number, tmp_path, ffmpeg).max() > 128]
    assert shown == [30, 44]


def test_without_a_clip_it_is_black(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    timeline = Timeline(128, 128, Fraction(30), 30, ())
    assert seen(timeline, 29, tmp_path, ffmpeg).max() < 3


@pytest.mark.parametrize("second", [0.5, 1.2], ids=["clip", "crossfade"])
def test_a_second_that_was_seen_is_not_decoded_again(tmp_path: Path, ffmpeg: FFmpeg, second: float) -> None:
    clips = [media.clip(tmp_path / f"{name}.mp4", rate="60", seconds=1.8, filters=SOFT) for name in "ab"]
    seen = Seen(tmp_path / "seen")
    seen.folder.mkdir()

    def look(text: str) -> bytes:
        words = {"text": text, "font_size": 200, "legibility": "auto"}
        video = {"duration": 3, "speed": 1, "fade_in": 1, "transition": "crossfade", "transition_duration": 0.6}
        timeline = compiled({"video": video, "text_overlays": [words], "output": SMALL}, clips, ffmpeg)
        pngs = [still(timeline, round(second * 30), tmp_path, ffmpeg, known).png for known in (seen, None)]
        assert pngs[0] == pngs[1]
        return pngs[0]

    first = look("one")
    known = {path.name: path.stat().st_ino for path in seen.folder.iterdir()}
    assert len(known) == 1 + 8, "the ground, and what legibility looked at"
    assert look("two") != first
    assert {path.name: path.stat().st_ino for path in seen.folder.iterdir()} == known
    media.clip(clips[0], "color=c=navy", rate="60", seconds=1.8)
    assert look("one") != first


def test_what_was_seen_longest_ago_goes(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    for number in range(5):
        path = tmp_path / f"{number}"
        with seen.unfinished(path).open("wb") as file:
            file.truncate(40 << 20)
        os.utime(seen.unfinished(path), (number, number))
        seen.keep(seen.unfinished(path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4"]


def test_errors_are_those_of_a_render(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", seconds=3)
    timeline = compiled({"video": {"duration": 5}, "output": SMALL}, [clip], ffmpeg)
    media.clip(clip, seconds=1)
    with pytest.raises(MediaError):
        still(timeline, 140, tmp_path, ffmpeg)
    broken = tmp_path / "logo.png"
    broken.write_bytes(b"no picture")
    data = {"video": {"duration": 1}, "logo": {"name": "logo.png"}, "output": SMALL}
    with pytest.raises(TextError):
        still(compiled(data, [clip], ffmpeg, logo=broken), 0, tmp_path, ffmpeg)


def test_which_frame_is_on_screen_when() -> None:
    timeline = Timeline(128, 128, Fraction(30), 60, ())
    times = {"0": 0, "0.033": 0, "0.034": 1, "1": 30, "1.9999": 59, "2": 59}
    assert {text: frame_at(timeline, Fraction(text)) for text in times} == times


def test_the_telling_second_is_in_the_middle_of_the_first_text(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", seconds=3)
    texts = [{"text": "a", "start_time": 2, "end_time": 3}, {"text": "b"}]
    data: dict[str, Any] = {"video": {"duration": 4}, "output": SMALL}
    assert telling_second(compiled({**data, "text_overlays": texts}, [clip], ffmpeg)) == Fraction(5, 2)
    assert telling_second(compiled(data, [clip], ffmpeg)) == 2
