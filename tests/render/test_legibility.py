"""`legibility: auto`: what is behind a text is measured, and as much is added as contrast 4.5:1 needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageFilter

from render.contrast import ENOUGH, Backdrop, Letters, contrast, cover_needed, grey, linear, luminance, seen, support
from render.executor import render
from render.ffmpeg import FFmpeg
from render.legibility import Aid, made_legible
from render.spots import spots
from render.text import draw
from render.timeline import Text, Timeline
from tests import media
from tests.render.films import compiled

OUTPUT = {"width": 270, "height": 480, "quality": "high"}
WORDS: dict[str, Any] = {"text": "Read me", "font_size": 150, "font_weight": 700, "legibility": "auto"}
CLIPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "white": ("color=c=white", ()),
    "black": ("color=c=black", ()),
    "grey": ("color=c=0xaaaaaa", ()),
    "busy": ("testsrc2", ("negate", "scale=iw/6:-2:flags=neighbor", "scale=270:480:flags=neighbor")),
    "brighter": ("color=c=white", ("fade=t=in:st=0:d=3.5",)),
}


def film_of(folder: Path, name: str, ffmpeg: FFmpeg, **words: Any) -> Timeline:
    source, filters = CLIPS[name]
    clip = media.clip(folder / "clip.mp4", source, seconds=4, filters=(*filters, "format=yuv420p"))
    data = {"video": {"duration": 4, "speed": 1}, "text_overlays": [{**WORDS, **words}], "output": OUTPUT}
    return compiled(data, [clip], ffmpeg)


def text_of(timeline: Timeline) -> Text:
    return next(layer.content for layer in timeline.layers if isinstance(layer.content, Text))


def aid_of(timeline: Timeline, ffmpeg: FFmpeg) -> tuple[Text, Aid]:
    helped, aids = made_legible(timeline, ffmpeg)
    (aid,) = aids.values()
    return text_of(helped), aid


def beside_letters(text: Text, frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Luminance of the px in a rim around the letters of a text in the middle of a frame."""
    ink = draw(replace(text, shadow=None, box=None)).image.getchannel("A").point(lambda value: 255 if value else 0)
    near, touched = (np.asarray(ink.filter(ImageFilter.MaxFilter(size))) > 0 for size in (7, 3))
    top, left = (frame.shape[0] - ink.height) // 2, (frame.shape[1] - ink.width) // 2
    pixels = frame[top : top + ink.height, left : left + ink.width][near & ~touched]
    table = np.array([linear(value) for value in range(256)])
    return np.asarray(table[pixels] @ np.array([0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize(
    ("clip", "color", "got"),
    [
        ("white", "white", "box"),
        ("white", "#202020", ""),
        ("black", "white", ""),
        ("black", "#202020", "box"),
        ("grey", "white", "shadow"),
        ("busy", "white", "box"),
        ("brighter", "white", "box"),
        ("brighter", "#202020", "box"),
    ],
)
def test_what_is_added_is_enough_in_the_film(tmp_path: Path, ffmpeg: FFmpeg, clip: str, color: str, got: str) -> None:
    timeline = film_of(tmp_path, clip, ffmpeg, font_color=color)
    text, aid = aid_of(timeline, ffmpeg)
    assert aid.got == got
    rendered = render(timeline, tmp_path / "film.mp4", tmp_path, ffmpeg)
    assert [got in warning for warning in rendered.warnings] == [True] * bool(got)
    own = luminance(*text.color[:3])
    for frame in media.frames(tmp_path / "film.mp4", 270, 480)[::17]:
        rim = beside_letters(text, frame)
        assert min(contrast(own, light) for light in np.percentile(rim, (10, 90))) >= ENOUGH


@pytest.mark.parametrize("clip", ["white", "grey"])
def test_what_is_added_is_no_more_than_needed(tmp_path: Path, ffmpeg: FFmpeg, clip: str) -> None:
    _, aid = aid_of(film_of(tmp_path, clip, ffmpeg), ffmpeg)
    assert aid.before < ENOUGH <= aid.after < 5.2


def test_a_text_that_does_not_ask_is_left_alone_and_costs_nothing(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    timeline = film_of(tmp_path, "white", ffmpeg, legibility="off")
    assert made_legible(timeline, FFmpeg("/no/such/ffmpeg")) == (timeline, {})


def test_a_text_that_is_legible_by_its_own_means_gets_nothing(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    for own in ({"stroke": {"width": 10}}, {"box": {"opacity": 0.8}}):
        text, aid = aid_of(film_of(tmp_path, "white", ffmpeg, **own), ffmpeg)
        assert (aid.got, aid.after >= ENOUGH) == ("", True)
        assert text == text_of(film_of(tmp_path, "white", ffmpeg, **own))


def test_its_own_box_is_made_denser(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    text, aid = aid_of(film_of(tmp_path, "white", ffmpeg, box={"color": "navy", "opacity": 0.2, "radius": 3}), ffmpeg)
    assert text.box is not None
    assert text.box.color[:3] == (0, 0, 128)
    assert aid.got == "box"
    assert aid.after >= ENOUGH


def test_what_cannot_be_helped_is_said(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    _, aid = aid_of(film_of(tmp_path, "white", ffmpeg, opacity=0.2), ffmpeg)
    assert aid.after < ENOUGH
    assert "would help" in aid.sentence()


def test_boxes_tell_what_a_text_got(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    (spot,) = spots(film_of(tmp_path, "white", ffmpeg), ffmpeg)
    assert spot.setting is not None
    assert spot.setting.got == "box"
    assert spot.setting.contrast is not None
    assert spot.setting.contrast >= ENOUGH


def test_contrast_is_that_of_wcag() -> None:
    white, black = luminance(255, 255, 255), luminance(0, 0, 0)
    assert contrast(white, black) == pytest.approx(21)
    # The greys that WCAG's own examples give as just enough on white, and just not.
    assert contrast(white, luminance(0x76, 0x76, 0x76)) == pytest.approx(4.54, abs=0.01)
    assert contrast(white, luminance(0x77, 0x77, 0x77)) == pytest.approx(4.48, abs=0.01)


@given(st.floats(0, 255))
def test_grey_is_the_inverse_of_light(value: float) -> None:
    assert grey(linear(value)) == pytest.approx(value, abs=0.1)


byte = st.integers(0, 255)


@given(st.lists(st.tuples(byte, byte, byte, st.just(255)), min_size=1, max_size=2), st.tuples(byte, byte))
def test_cover_is_enough_and_just_enough(colors: list[tuple[int, int, int, int]], ends: tuple[int, int]) -> None:
    letters, behind = Letters(tuple(colors)), Backdrop(min(ends), max(ends), 0)
    color = support(letters)
    cover = cover_needed(letters, behind, color)
    assert 0 <= cover <= 1
    if cover < 1:
        assert seen(letters, behind, color, cover) >= ENOUGH
    if 0 < cover < 1:
        assert seen(letters, behind, color, 0) < ENOUGH
        assert seen(letters, behind, color, cover - 0.01) < ENOUGH * 1.06
