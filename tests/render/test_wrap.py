"""Where lines may break, without any font."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.wrap import clean, clusters, paragraph


@pytest.mark.parametrize(
    ("words", "units"),
    [
        ("one two  three", "one |two  |three"),
        ("well-known", "well-|known"),
        ("at -9 or 10-20", "at |-9 |or |10-20"),
        ("this\u2014that", "this\u2014|that"),
        ("a\u00a0b\u202fc d", "a\u00a0b\u202fc |d"),
        ("zero\u200bwidth", "zero\u200b|width"),
        ("Bonjour !", "Bonjour !"),
        ("漢字。「漢」x", "漢|字。|「漢」|x"),
        ("カーテン", "カー|テ|ン"),
        ("한국어 글", "한국어 |글"),
    ],
)
def test_where_lines_may_break(words: str, units: str) -> None:
    assert "|".join(paragraph(words).units) == units


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("e\u0323\u0301x", ["e\u0323\u0301", "x"]),
        ("👩🏽\u200d🚀👍", ["👩🏽\u200d🚀", "👍"]),
        ("🇩🇪🇫🇷🇬", ["🇩🇪", "🇫🇷", "🇬"]),
        ("❤\ufe0f!", ["❤\ufe0f", "!"]),
        ("क्षि", ["क्षि"]),
        ("🏴\U000e0067\U000e007fa", ["🏴\U000e0067\U000e007f", "a"]),
    ],
)
def test_clusters(words: str, expected: list[str]) -> None:
    assert clusters(words) == expected


@pytest.mark.parametrize(
    ("words", "direction"),
    [("abc אבג", "ltr"), ("123 (אבג) abc", "rtl"), ("مرحبا", "rtl"), ("123", "ltr"), ("", "ltr")],
)
def test_direction_is_that_of_the_first_letter(words: str, direction: str) -> None:
    assert paragraph(words).direction == direction


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\r\nb\rc\u2028d\u2029e", "a\nb\nc\nd\ne"),
        (" \n\n a \n\n b \n \n", "a\n\nb"),
        ("a\tb", "a    b"),
        ("a\ud800\x00\x1bb\ufeff\u00ad", "ab"),
        ("e\u0301", "é"),
        ("a" + "\u0335" * 99 + "b", "a" + "\u0335" * 30 + "b"),
        ("\u200b\u200d \ufe0f", ""),
    ],
)
def test_clean(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@given(st.text(st.characters()))
def test_nothing_is_lost_or_left_to_clean(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    for line in cleaned.split("\n"):
        assert "".join(paragraph(line).units) == line
        assert "".join(clusters(line)) == line
