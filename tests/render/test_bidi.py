"""The order of letters on a line, by hand and against FriBidi, which orders a line that one font draws alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from render.bidi import Direction, levels, visual
from render.faces import OutlineFont
from render.runs import Coverage, runs

ARIMO = Path(__file__).parents[2] / "fonts_cache" / "fonts" / "Arimo-Regular.ttf"
LRI, RLI, FSI, PDI, RLE, LRE, PDF, RLM = "\u2066\u2067\u2068\u2069\u202b\u202a\u202c\u200f"


def seen(words: str, direction: Direction) -> str:
    return "".join(visual(words, levels(words, direction)))


@pytest.mark.parametrize(
    ("words", "direction", "order"),
    [
        ("abc", "ltr", "abc"),
        ("אבג", "ltr", "גבא"),
        ("say אבג now", "ltr", "say גבא now"),
        ("אב cd הו", "rtl", "וה cd בא"),
        # Numbers run to the right in both; those after Arabic letters are Arabic ones.
        ("אב 12", "rtl", "12 בא"),
        ("م 1,2", "rtl", "1,2 م"),
        ("12%", "rtl", "12%"),
        ("אב 1-2", "rtl", "1-2 בא"),
        # A pair of brackets goes with what is in it, or around it (rule N0).
        ("a (b) אב", "rtl", "בא a (b)"),
        ("אב (c) ד", "rtl", "ד )c( בא"),
        ("a [אב] c", "ltr", "a [בא] c"),
        # Punctuation at the end of a line goes with the line.
        ("abc!", "rtl", "!abc"),
        ("אבג!", "ltr", "גבא!"),
        # Isolates keep to themselves, embeddings do not.
        (f"a {RLI}אב 1{PDI} 2", "ltr", f"a {RLI}1 בא{PDI} 2"),
        (f"a {FSI}אב 1{PDI} 2", "ltr", f"a {FSI}1 בא{PDI} 2"),
        (f"a {FSI}b אב{PDI} 2", "ltr", f"a {FSI}b בא{PDI} 2"),
    ],
)
def test_order(words: str, direction: Direction, order: str) -> None:
    assert seen(words, direction) == order


def test_embeddings_end_where_they_are_ended() -> None:
    assert levels(f"a{RLE}b{PDF}c", "ltr")[1::2] == [0, 2]
    assert levels(f"a{RLE}אב{LRE}c{PDF}{PDF}d", "ltr")[2] == 1


def test_what_is_nested_too_deep_ends_as_it_should() -> None:
    words = RLI * 200 + "a" + PDI * 200 + "b"
    found = levels(words, "ltr")
    assert max(found) <= 126
    assert found[-1] == 0


LETTERS = "abאבג 12.,%$+-()[]<>!«»:/" + RLM
TWO_FONTS = Coverage(frozenset(map(ord, LETTERS[::2]))), Coverage(frozenset(map(ord, LETTERS)))
letters = st.text(st.sampled_from(LETTERS), min_size=1, max_size=24)


@settings(max_examples=60, deadline=None)
@given(letters, st.sampled_from(("ltr", "rtl")))
def test_runs_are_seen_as_fribidi_orders_them(words: str, direction: Direction) -> None:
    """Arimo has all of these letters. Drawn at once, FriBidi orders them; cut in runs as of two fonts, we do."""
    words = words.strip(f" {RLM}") or "a"
    font, plain = OutlineFont(ARIMO, 40), ["-kern"]
    whole, cut = Image.new("L", (900, 80)), Image.new("L", (900, 80))
    ImageDraw.Draw(whole).text((20, 60), words, 255, font.pillow, "ls", direction=direction, features=plain)
    x = 20.0
    for run in runs(words, direction, TWO_FONTS, apart=False):
        pen = ImageDraw.Draw(cut)
        pen.text((x, 60), run.words, 255, font.pillow, "ls", direction=run.direction, features=plain)
        x += font.pillow.getlength(run.words, direction=run.direction, features=plain)
    different = ImageChops.difference(whole, cut).point(lambda value: 255 * (value > 128)).histogram()[255]
    assert different <= 12
