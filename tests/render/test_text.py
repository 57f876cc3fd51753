"""Drawn texts, measured in px on the fonts that ship."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from render.errors import TextError
from render.text import draw
from render.timeline import Align, Box, Rgba, Shadow, Stroke, Text, TextBox

TTFont: Any = import_module("fontTools.ttLib").TTFont  # Not by `import`: it ships no types.

ROOT = Path(__file__).parents[2]
FONTS = ROOT / "fonts_cache" / "fonts"
ARIMO = FONTS / "Arimo-Regular.ttf"
MONTSERRAT = FONTS / "Montserrat-ExtraBold.ttf"
ITALIC = FONTS / "PlayfairDisplay-Italic.ttf"
SCRIPT = FONTS / "Caveat-Bold.ttf"
WHITE: Rgba = (255, 255, 255, 255)
RED: Rgba = (255, 0, 0, 255)
BLACK: Rgba = (0, 0, 0, 255)


def text(words: str, font: Path = ARIMO, size_px: float = 60, min_px: float = 10, **rest: Any) -> Text:
    fields: dict[str, Any] = {"max_size_px": 0, "max_width_px": 900, "max_height_px": 1600, "color": WHITE} | rest
    return Text(text=words, fonts=(font,), size_px=size_px, min_size_px=min_px, **fields)


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    box = image.getchannel("A").getbbox()
    assert box is not None
    return box


def rows(image: Image.Image, pitch: float, count: int) -> list[tuple[int, int]]:
    """Left and right edge of the ink in each line."""
    alpha = image.getchannel("A")
    bands = [alpha.crop((0, round(n * pitch), image.width, round((n + 1) * pitch))).getbbox() for n in range(count)]
    return [(band[0], band[2]) for band in bands if band]


def advance_px(words: str, font: Path, size_px: float) -> float:
    """Sum of the font's own advance widths: the figures in the file, no layout engine."""
    with TTFont(font, lazy=True) as tt:
        cmap, metrics = tt.getBestCmap(), tt["hmtx"]
        return float(sum(metrics[cmap[ord(char)]][0] for char in words) * size_px / tt["head"].unitsPerEm)


# --- size and place of the lines ---


@pytest.mark.parametrize("size_px", [20, 33.5, 60, 300])
def test_a_line_is_as_wide_as_its_advances_and_as_high_as_asked(size_px: float) -> None:
    drawn = draw(text("HHnnoo", size_px=size_px, max_width_px=4000, line_height=1.5))
    assert abs(drawn.box.w - advance_px("HHnnoo", ARIMO, size_px)) <= 1
    assert drawn.box == Box(0, 0, drawn.image.width, ceil(1.5 * size_px))
    assert (drawn.size_px, drawn.lines, drawn.missing) == (size_px, 1, ())


def test_lines_are_one_line_height_apart() -> None:
    drawn = draw(text("HHH\nHHH\n\nHHH", size_px=50, line_height=1.3))
    alpha = drawn.image.getchannel("A")
    tops = [alpha.crop((0, y, alpha.width, y + 65)).getbbox() for y in (0, 65, 130, 195)]
    assert drawn.box.h == 4 * 65
    assert tops[2] is None
    assert tops[0] == tops[1] == tops[3]


def test_ascent_and_descent_are_centred_in_the_line() -> None:
    """The baseline, where H stands, after CSS 2.2, section 10.8.1, from the figures in the font file."""
    for line_height in (1.0, 1.2, 2.0):
        drawn = draw(text("H", size_px=100, line_height=line_height))
        with TTFont(ARIMO, lazy=True) as tt:
            ascent, descent = (tt["hhea"].ascent / 20.48, -tt["hhea"].descent / 20.48)
        assert abs(ink(drawn.image)[3] - (100 * line_height + ascent - descent) / 2) <= 1.5


@pytest.mark.parametrize(("align", "share"), [("start", 0.0), ("center", 0.5), ("end", 1.0)])
def test_alignment_to_the_pixel(align: Align, share: float) -> None:
    wide, narrow = "HHHHHHHHHH", "HHH"
    drawn = draw(text(f"{wide}\n{narrow}", size_px=80, align=align))
    (left, right), (short_left, short_right) = rows(drawn.image, 96, 2)
    spare = advance_px(wide, ARIMO, 80) - advance_px(narrow, ARIMO, 80)
    assert abs(short_left - left - share * spare) <= 1
    assert abs(right - short_right - (1 - share) * spare) <= 1


@pytest.mark.parametrize("font", sorted(FONTS.glob("*.ttf")), ids=lambda path: path.stem)
@pytest.mark.parametrize("words", ["fjord", "Jgf! Wyff", "ÅÄÖ ŷ", "f\nj"])
def test_overhanging_ink_stays_inside(font: Path, words: str) -> None:
    """A margin of stroke around the same text shows whether anything was cut off at the box's edge."""
    plain = draw(text(words, font, 150, line_height=0.8, max_width_px=2000))
    roomy = draw(text(words, font, 150, line_height=0.8, max_width_px=2000, box=TextBox((0, 0, 0, 0), 60, 0)))
    assert ImageChops.difference(roomy.image.getchannel("A").crop((60, 60, roomy.box.w - 60, roomy.box.h - 60)),
                                 plain.image.getchannel("A")).getbbox() is None  # fmt: skip
    left, top, right, bottom = ink(roomy.image)
    assert left >= 60
    assert top >= 60
    assert right <= roomy.box.w - 60
    assert bottom <= roomy.box.h - 60


# --- wrapping ---


def test_closing_marks_never_start_a_line() -> None:
    """Five ideographs would fill the line; the fifth goes down with its full stop."""
    width = draw(text("漢" * 5, size_px=40)).box.w
    drawn = draw(text("漢" * 5 + "。" + "漢" * 3, size_px=40, min_px=40, max_width_px=width, align="start"))
    (_, first_right), (_, second_right) = rows(drawn.image, 48, 2)
    assert drawn.lines == 2
    assert first_right < second_right


def test_a_word_too_wide_is_drawn_smaller_and_broken_only_below_the_least_size() -> None:
    word = "Donaudampfschiff"
    smaller = draw(text(word, size_px=100, min_px=20, max_width_px=400))
    assert smaller.lines == 1
    assert 20 < smaller.size_px < 100
    assert smaller.box.w <= 400
    broken = draw(text(word, size_px=100, min_px=90, max_width_px=400))
    assert broken.lines > 1
    assert broken.size_px == 100


def test_clusters_are_never_split() -> None:
    """Each line of a column one letter wide shows the same accented letter: none is a bare accent or a bare letter."""
    drawn = draw(text("x\u0323\u0307" * 4, size_px=60, min_px=60, max_width_px=45, align="start"))
    lines = [drawn.image.crop((0, 72 * n, 45, 72 * n + 72)).tobytes() for n in range(4)]
    assert drawn.lines == 4
    assert len(set(lines)) == 1


# --- fitting ---


def test_grows_to_the_largest_size_that_fits() -> None:
    base = text("grow into the room", size_px=20, max_size_px=500, max_width_px=600, max_height_px=300)
    drawn = draw(base)
    assert 20 < drawn.size_px < 500
    assert drawn.box.w <= 600
    assert drawn.box.h <= 300
    next_px = drawn.size_px + 0.5
    assert draw(replace(base, size_px=next_px, min_size_px=next_px, max_size_px=0, max_height_px=9999)).box.h > 300


@pytest.mark.parametrize("font", sorted(FONTS.glob("*.ttf")), ids=lambda path: path.stem)
def test_a_long_text_uses_the_room_it_has(font: Path) -> None:
    """Ink that hangs over the edge of a full line by a px must not make a size look too large."""
    rng = random.Random(1)
    words = " ".join("".join(rng.choices("abcdefghijklmnop", k=rng.randint(1, 11))) for _ in range(800))
    drawn = draw(text(words, font, 12, max_size_px=300, max_width_px=900, max_height_px=1500))
    assert drawn.box.w <= 900
    assert 1350 < drawn.box.h <= 1500


def test_what_fits_keeps_its_size() -> None:
    assert draw(text("fits", size_px=61.3, max_size_px=61.3)).size_px == 61.3


def test_stroke_and_padding_take_room() -> None:
    bare = draw(text("word " * 40, size_px=200, max_width_px=500, max_height_px=500))
    framed = draw(replace(text("word " * 40, size_px=200, max_width_px=500, max_height_px=500),
                          stroke=Stroke(BLACK, 7.5), box=TextBox(BLACK, 40, 9)))  # fmt: skip
    assert framed.size_px < bare.size_px
    assert framed.box.w <= 500
    assert framed.box.h <= 500


def test_what_never_fits_ends_in_an_ellipsis() -> None:
    """The picture is that of the words that were kept and three dots."""
    drawn = draw(text("aa bb cc dd ee", size_px=50, min_px=50, max_width_px=150, max_height_px=125, align="start"))
    wanted = draw(text("aa bb\ncc d…", size_px=50, align="start"))
    assert drawn.lines == 2
    assert ImageChops.difference(drawn.image.getchannel("A"), wanted.image.getchannel("A")).getbbox() is None


words_of_any_script = st.text(
    st.one_of(
        st.characters(), st.sampled_from(" -\n\t\r\u200b\u200d\ufe0f\u0301\u202e\u0645\u05d0漢。👩🏽🇩🇪\ud800\u0000")
    ),
    max_size=120,
)


@settings(max_examples=120, deadline=None)
@given(
    words=words_of_any_script,
    width=st.integers(1, 700),
    height=st.integers(1, 400),
    size=st.floats(4, 200),
    least=st.floats(4, 40),
    most=st.floats(0, 300),
    align=st.sampled_from(("start", "center", "end")),
    line_height=st.floats(0.5, 3),
    stroke=st.none() | st.builds(Stroke, st.just(BLACK), st.floats(0, 12)),
    shadow=st.none() | st.builds(Shadow, st.just(RED), st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 12)),
    box=st.none() | st.builds(TextBox, st.just(BLACK), st.floats(0, 40), st.floats(0, 99)),
    font=st.sampled_from((ARIMO, MONTSERRAT, ITALIC, SCRIPT)),
)
def test_nothing_leaves_the_room_whatever_the_text(
    words: str, width: int, height: int, size: float, least: float, most: float, align: Align, line_height: float,
    stroke: Stroke | None, shadow: Shadow | None, box: TextBox | None, font: Path,
) -> None:  # fmt: skip
    drawn = draw(
        text(words, font, size, least, max_size_px=most, max_width_px=width, max_height_px=height, align=align,
             line_height=line_height, stroke=stroke, shadow=shadow, box=box)
    )  # fmt: skip
    assert drawn.image.mode == "RGBA"
    assert drawn.box.w <= width
    assert drawn.box.h <= height
    assert drawn.box.x >= 0
    assert drawn.box.y >= 0
    assert drawn.box.x + drawn.box.w <= drawn.image.width
    assert drawn.box.y + drawn.box.h <= drawn.image.height
    assert not drawn.lines or min(least, max(size, most)) <= drawn.size_px <= max(size, most)
    if not shadow and drawn.lines:
        assert drawn.image.size == (drawn.box.w, drawn.box.h)


@pytest.mark.parametrize("words", ["", " ", "\n\n", "\t\r\n", "\ud800", "\x00\x07", "\u200b\u200d\ufe0f", "\u202e"])
def test_nothing_to_see_is_one_transparent_pixel(words: str) -> None:
    drawn = draw(text(words, box=TextBox(BLACK, 20, 5)))
    assert (drawn.image.size, drawn.box, drawn.lines, drawn.missing) == ((1, 1), Box(0, 0, 0, 0), 0, ())
    assert drawn.image.getpixel((0, 0)) == (255, 255, 255, 0)


@pytest.mark.parametrize(
    "words",
    [
        "x" * 10_000,
        "a" + "\u0301" * 10_000,
        "👨\u200d" * 5_000,
        "x\n" * 5_000,
        "م" * 10_000,
        "क्" * 5_000,
        "\u202e\u2067" * 5_000 + "x",
    ],
    ids=["word", "stack", "joiners", "newlines", "arabic", "virama", "overrides"],
)
def test_ten_thousand_hostile_characters(words: str) -> None:
    drawn = draw(text(words, MONTSERRAT, 300, box=TextBox(BLACK, 10, 10), shadow=Shadow(RED, 4, 4, 4)))
    assert drawn.box.w <= 900
    assert drawn.box.h <= 1600


def test_random_code_points() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    words = "".join(chr(rng.randrange(0x110000)) for _ in range(2000))
    assert draw(text(words, size_px=30, max_height_px=400)).box.h <= 400


# --- scripts ---


def test_right_to_left_lines_start_at_the_right() -> None:
    """Reading order: the first word is at the right end, in a line that begins with Latin letters too."""
    hebrew, alone = (draw(text(words, size_px=50, align="start")) for words in ("אחת שתיים", "אחת"))
    right = hebrew.image.crop((hebrew.box.w - alone.box.w, 0, hebrew.box.w, 60)).getchannel("A")
    left = hebrew.image.crop((0, 0, alone.box.w, 60)).getchannel("A")
    near, far = (sum(ImageChops.difference(part, alone.image.getchannel("A")).tobytes()) for part in (right, left))
    assert near < far / 3
    wrapped = draw(text("שלום Latin", size_px=50, min_px=50, max_width_px=150, align="end"))
    assert wrapped.lines == 2


def test_missing_characters_are_named_once_and_in_order() -> None:
    assert draw(text("a漢b字漢 👍🏽\ufe0f\u200d")).missing == ("漢", "字", "👍", "🏽")
    assert draw(text("Ω Ж ế א € → e\u0301 \u00a0\u2003\u200b")).missing == ()
    assert draw(text("ж", FONTS / "ComicNeue-Regular.ttf")).missing == ("ж",)


# --- colour ---


def test_the_plain_fill_is_one_colour_everywhere() -> None:
    drawn = draw(text("Fill", color=(200, 100, 50, 128)))
    red, green, blue, alpha = drawn.image.split()
    assert [band.getextrema() for band in (red, green, blue)] == [(200, 200), (100, 100), (50, 50)]
    assert alpha.getextrema() == (0, 128)


def test_a_stroke_lies_outside_and_leaves_the_fill_its_weight() -> None:
    plain = draw(text("Oo", MONTSERRAT, 100))
    stroked = draw(text("Oo", MONTSERRAT, 100, stroke=Stroke(RED, 6)))
    assert (stroked.box.w, stroked.box.h) == (plain.box.w + 12, plain.box.h + 12)
    green = stroked.image.getchannel("G").crop((6, 6, plain.box.w + 6, plain.box.h + 6))
    assert max(ImageChops.difference(green, plain.image.getchannel("A")).tobytes()) <= 1
    assert [a - b for a, b in zip(ink(stroked.image), ink(plain.image), strict=True)] == pytest.approx(
        [0, 0, 12, 12], abs=1
    )


def test_a_stroke_does_not_show_through_a_half_transparent_fill() -> None:
    drawn = draw(text("I", MONTSERRAT, 200, color=(255, 255, 255, 100), stroke=Stroke(RED, 8)))
    left, top, right, bottom = ink(drawn.image)
    assert drawn.image.getpixel(((left + right) // 2, (top + bottom) // 2)) == (255, 255, 255, 100)
    assert drawn.image.getpixel((left + 4, (top + bottom) // 2)) == RED


def test_overlapping_letters_do_not_darken() -> None:
    drawn = draw(text("fjord away", SCRIPT, 120, color=(255, 255, 255, 128), stroke=Stroke((0, 0, 0, 60), 9)))
    assert drawn.image.getchannel("A").getextrema() == (0, 128)


def test_a_shadow_moves_and_does_not_count() -> None:
    drawn = draw(text("I", size_px=100, shadow=Shadow(RED, 30, -200, 0)))
    plain = draw(text("I", size_px=100))
    assert (drawn.box.w, drawn.box.h) == (plain.box.w, plain.box.h)
    left, top, right, bottom = ink(plain.image)
    x, y = drawn.box.x + (left + right) // 2, drawn.box.y + (top + bottom) // 2
    assert drawn.image.getpixel((x, y)) == WHITE
    assert drawn.image.getpixel((x + 30, y - 200)) == RED
    assert drawn.box.y == 200 - top


def test_a_box_is_padded_round_and_composed_once() -> None:
    plain = draw(text("Box", size_px=50))
    drawn = draw(text("Box", size_px=50, box=TextBox((0, 0, 255, 100), 20, 16)))
    assert (drawn.box.w, drawn.box.h) == (plain.box.w + 40, plain.box.h + 40)
    assert drawn.image.getpixel((drawn.box.w // 2, 3)) == (0, 0, 255, 100)
    corner = drawn.image.getchannel("A").crop((0, 0, 16, 16))
    assert corner.getpixel((0, 0)) == 0
    covered = sum(corner.tobytes()) / 100
    assert covered == pytest.approx(3.14159 * 16 * 16 / 4, rel=0.01)
    assert len(set(corner.tobytes())) > 5


@pytest.mark.parametrize("shadow", [None, Shadow(BLACK, 20, 20, 0), Shadow(BLACK, 5, 5, 6)])
def test_no_black_behind_transparent_pixels(shadow: Shadow | None) -> None:
    """At the upper left, beyond the shadow, transparent px next to the glyph are as white as the glyph."""
    drawn = draw(text("I", MONTSERRAT, 200, color=WHITE, shadow=shadow, stroke=Stroke((250, 250, 250, 255), 3)))
    image = drawn.image
    y = drawn.box.y + drawn.box.h // 2
    row = [image.getpixel((x, y)) for x in range(image.width)]
    first = next(x for x, pixel in enumerate(row) if isinstance(pixel, tuple) and pixel[3])
    if shadow is None or shadow.blur_px == 0:
        assert all(isinstance(pixel, tuple) and min(pixel[:3]) >= 245 for pixel in row[max(0, first - 2) : first + 8])


@pytest.mark.parametrize("name", ["gone.ttf", "noise.ttf", "cut.ttf"])
def test_a_broken_font_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "noise.ttf").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "cut.ttf").write_bytes(ARIMO.read_bytes()[:5000])
    with pytest.raises(TextError, match=name):
        draw(text("words", tmp_path / name))


def test_a_picture_beyond_all_measure_is_refused() -> None:
    with pytest.raises(TextError, match="too large"):
        draw(text("x", shadow=Shadow(RED, 0, 0, 5000)))


def test_the_worker_loads_no_numpy() -> None:
    code = "import sys, render.text; print({'numpy', 'cv2'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
