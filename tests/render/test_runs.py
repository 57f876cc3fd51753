"""Which font draws what of a line, without opening any."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.emoji import is_emoji
from render.runs import Coverage, Run, is_simple, language, missing, runs
from render.wrap import clean, clusters

LATIN = Coverage(frozenset(range(0x20, 0x250)) | {0x2615, 0x2122})
ARABIC = Coverage(frozenset((*range(0x600, 0x700), 0x20)))
ACCENTS = Coverage(frozenset((*range(0x41, 0x7B), 0x323, 0x307)))
EMOJI = Coverage(frozenset((*range(0x1F000, 0x1FB00), *map(ord, "0123456789#*©™☕❤\u20e3\u200d\ufe0f"))), color=True)
CHAIN = (LATIN, ARABIC, ACCENTS, EMOJI)


def cut(words: str, *, apart: bool = False) -> list[tuple[str, int]]:
    return [(run.words, run.font) for run in runs(words, "ltr", CHAIN, apart)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("plain", [("plain", 0)]),
        # A blank stays with what is before it where that font has one, and never with pictures.
        ("a مرحبا بكم b", [("a ", 0), ("مرحبا بكم", 1), (" ", 1), ("b", 0)]),
        ("👍 👍 a", [("👍", 3), (" ", 0), ("👍", 3), (" a", 0)]),
        # Signs and digits are text unless they ask to be pictures.
        ("© 12 ™", [("© 12 ™", 0)]),
        ("a©\ufe0f", [("a", 0), ("©\ufe0f", 3)]),
        ("1\ufe0f\u20e32", [("1\ufe0f\u20e3", 3), ("2", 0)]),
        ("1\ufe0f2", [("1\ufe0f2", 0)]),
        ("☕", [("☕", 3)]),
        ("☕\ufe0e", [("☕\ufe0e", 0)]),
        ("❤", [("❤", 3)]),
        ("👩🏽\u200d🚀🇩🇪", [("👩🏽\u200d🚀🇩🇪", 3)]),
        # A cluster goes whole to the font that has all of it.
        ("ax\u0323\u0307b", [("a", 0), ("x\u0323\u0307", 2), ("b", 0)]),
        # What nobody has is a box of the first font.
        ("漢", [("漢", 0)]),
    ],
)
def test_the_font_of_each_stretch(words: str, expected: list[tuple[str, int]]) -> None:
    assert cut(words) == expected


def test_right_to_left_stretches_come_in_the_order_in_which_they_are_seen() -> None:
    assert runs("مرحبا ab بكم", "rtl", CHAIN, apart=False) == (
        Run("بكم", 1, "rtl", 9),
        Run(" ", 0, "rtl", 8),
        Run("ab", 0, "ltr", 6),
        Run("مرحبا ", 1, "rtl", 0),
    )


def test_letters_that_are_set_apart_but_joined_ones() -> None:
    assert cut("ab مرحبا", apart=True) == [("a", 0), ("b", 0), (" ", 0), ("مرحبا", 1)]


def test_what_is_missing() -> None:
    assert missing("aب漢é👍\ufe0f\u200d \u3000漢字", CHAIN) == ("漢", "字")
    assert is_simple("plain ☕\ufe0e é", CHAIN)
    assert not is_simple("plain ☕", CHAIN)


@pytest.mark.parametrize(("words", "found"), [("漢字", None), ("漢字の", "ja"), ("漢字 한", "ko"), ("abc", None)])
def test_whose_forms_of_characters(words: str, found: str | None) -> None:
    assert language(words) == found


@pytest.mark.parametrize(
    ("cluster", "found"),
    [
        ("😀", True),
        ("😀\ufe0e", False),
        ("☺", False),
        ("☺\ufe0f", True),
        ("a\ufe0f", True),
        ("7", False),
        ("𠀀", False),
    ],
)
def test_emoji(cluster: str, found: bool) -> None:
    assert is_emoji(cluster) == found


@given(st.text(st.characters() | st.sampled_from("مرحבא12 👩🏽\u200d🇩🇪\ufe0f\u202e\u2067\u2069\u0301")), st.booleans())
def test_no_character_is_lost_and_no_cluster_cut(text: str, apart: bool) -> None:
    for line in clean(text).split("\n"):
        found = Counter(cluster for run in runs(line, "ltr", CHAIN, apart) for cluster in clusters(run.words))
        assert found == Counter(clusters(line))
