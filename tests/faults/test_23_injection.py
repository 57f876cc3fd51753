"""Row 23: whatever a text says, it is shown as it stands. It reaches neither a filter graph nor a file name."""

from __future__ import annotations

import string
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from render import graph
from render.atlas import lower
from render.errors import TextError
from render.executor import render
from render.ffmpeg import FFmpeg
from render.slices import slices
from render.text import draw
from render.timeline import Layer, Place, Text, Timeline
from tests import media

FONT = Path(__file__).parents[2] / "fonts_cache" / "fonts" / "Arimo-Regular.ttf"
WIDTH, HEIGHT, LINE_PX = 540, 480, 60
SIZE_PX = 20
NASTY = [
    "',movie=other.mp4[x];[x]",
    "':textfile=/etc/passwd:'",
    "%{pts} %{localtime} %n %",
    "%{eif:1+1:d} %{metadata:x}",
    r"\n \N \t \\ \: \' \" \{an8}",
    "{\\an8}{\\p1}m 0 0 l 9 9",
    "[0:v][1:v]overlay[out]",
    "; $(id) `id` | id && id",
    "../../etc/passwd",
    "file:/etc/passwd",
    "-i other.mp4 -y",
    "<b>b</b><script>x</script>",
    "{{7*7}} ${7*7} #{7*7} %s",
    "' OR 1=1; DROP TABLE job",
    "@filter_complex.txt",
    "a:b=c,d;e[f]'g'\\h%i{j}",
]


def text(words: str) -> Text:
    return Text(words, (FONT,), SIZE_PX, SIZE_PX, 0, WIDTH, LINE_PX, (255, 255, 255, 255), align="start")


def shown(texts: list[str], folder: Path, ffmpeg: FFmpeg) -> None:
    """Render one frame with a text a line, and compare it with what Pillow draws, put there by Pillow."""
    layers = tuple(Layer(text(words), 0, 1, Place("start", LINE_PX * n + 30)) for n, words in enumerate(texts))
    timeline = Timeline(WIDTH, HEIGHT, Fraction(30), 1, layers, quality="high")
    folder.mkdir(exist_ok=True)
    render(timeline, folder / "film.mp4", folder, ffmpeg)
    expected = Image.new("RGB", (WIDTH, HEIGHT))
    for number, words in enumerate(texts):
        drawn = draw(text(words))
        at = drawn.box.x, drawn.box.y
        top = round(LINE_PX * number + 30 - drawn.box.h / 2)
        expected.paste(drawn.image, (-at[0], top - at[1]), drawn.image)
    (frame,) = media.frames(folder / "film.mp4", WIDTH, HEIGHT, pixels="gray")
    wanted = np.asarray(expected.convert("L"), float)
    # A px off vertically by rounding is allowed, another text is not.
    off = min(np.abs(np.roll(wanted, by, axis=0) - frame).mean() for by in (-1, 0, 1))
    assert off < 0.12 * wanted.mean() + 0.5, texts


@pytest.mark.parametrize("start", range(0, len(NASTY), 8))
def test_nasty_texts_are_shown_as_they_stand(start: int, tmp_path: Path, ffmpeg: FFmpeg) -> None:
    shown(NASTY[start : start + 8], tmp_path / "work", ffmpeg)


def test_no_text_is_among_the_arguments(tmp_path: Path) -> None:
    layers = tuple(Layer(text(words), 0, 1) for words in NASTY)
    timeline = Timeline(WIDTH, HEIGHT, Fraction(30), 1, layers)
    lowered, _ = lower(timeline, tmp_path)
    (piece,) = slices(timeline)
    words = [word for text in NASTY for word in text.split() if len(word) > 6]
    arguments = graph.film_args(lowered, piece, 1, tmp_path / "film.mp4")
    assert [word for word in words if any(word in argument for argument in arguments)] == []


def test_another_text_would_be_noticed(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    """What the comparison is worth: it objects to a text whose escapes somebody has read."""
    (tmp_path / "work").mkdir()
    layers = (Layer(text("2 and no more of it"), 0, 1, Place("start", 30)),)
    render(
        Timeline(WIDTH, HEIGHT, Fraction(30), 1, layers, quality="high"), tmp_path / "a.mp4", tmp_path / "work", ffmpeg
    )
    (frame,) = media.frames(tmp_path / "a.mp4", WIDTH, HEIGHT, pixels="gray")
    other = draw(text("%{eif:1+1:d} and no more of it"))
    wanted = np.zeros((HEIGHT, WIDTH))
    image = np.asarray(other.image.convert("RGBA").getchannel("A"), float)
    top = round(30 - other.box.h / 2) - other.box.y
    wanted[top : top + image.shape[0], : image.shape[1]] = image
    off = min(np.abs(np.roll(wanted, by, axis=0) - frame).mean() for by in (-1, 0, 1))
    assert off > 0.12 * wanted.mean() + 0.5


@pytest.mark.parametrize("words", NASTY)
def test_every_character_takes_its_room(words: str) -> None:
    """Measured by Pillow alone: nothing was read as an escape, left out or put in."""
    drawn = draw(text(words))
    assert (drawn.lines, drawn.missing) == (1, ())
    assert abs(drawn.box.w - ImageFont.truetype(FONT, SIZE_PX).getlength(words)) < 6


SPECIAL = string.punctuation + "\\'%:{}[];,=\n\r\t\0 a1é漢👍\u202e\u200b\ud7ff\ufffe"


@settings(max_examples=150, deadline=None)
@given(st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(exclude_categories=["Cs"])), max_size=60))
def test_any_text_is_drawn_or_refused(words: str) -> None:
    try:
        drawn = draw(text(words))
    except TextError:
        return
    assert drawn.box.w <= WIDTH
    assert drawn.box.h <= LINE_PX


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.sampled_from(string.ascii_letters + string.punctuation), min_size=3, max_size=24),
        min_size=8,
        max_size=8,
    )
)
def test_any_text_is_shown_as_it_stands(texts: list[str], tmp_path: Path, ffmpeg: FFmpeg) -> None:
    shown(texts, tmp_path / "work", ffmpeg)
