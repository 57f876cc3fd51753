"""Which fonts a text is given beside the chosen one, with the real fonts that ship."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fonts_cache import FontCache, UnknownFont
from fonts_cache.cache import SHIPPED
from fonts_cache.coverage import coverage, uncovered
from fonts_cache.fallback import chain

# Not by `import`: fontTools ships no types.
FontBuilder: Any = import_module("fontTools.fontBuilder").FontBuilder
TTGlyphPen: Any = import_module("fontTools.pens.ttGlyphPen").TTGlyphPen

NAMES = {
    "Arimo-Regular": "Привет Ελλάδα שלום é",
    "NotoSansArabic-Regular": "مرحبا",
    "NotoSansDevanagari-Regular": "नमस्ते",
    "NotoSansThai-Regular": "สวัสดี",
    "NotoSansCJK-Regular": "视频臺灣こんにちは안녕ㅋㅋㅋㅠㅠ注音ㄅㄆ",
    "TwemojiMozilla": "😀👍🏽🇩🇪",
}


@pytest.fixture
def fonts(tmp_path: Path) -> FontCache:
    return FontCache(tmp_path / "fonts", system=())


def names(fonts: FontCache, text: str, family: str = "Anton", weight: int = 400) -> list[str]:
    return [path.stem for path in chain(fonts, family, weight, False, text).paths]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_gets_its_font_and_no_other(fonts: FontCache, name: str) -> None:
    assert names(fonts, f"a {NAMES[name]}", "Caveat" if name == "Arimo-Regular" else "Anton")[1:] == [name]


def test_a_font_that_has_it_all_stays_alone(fonts: FontCache) -> None:
    assert names(fonts, "Plain text, 12 © \u00a0\u200b\n\t\r") == ["Anton-Regular"]
    assert names(fonts, "") == ["Anton-Regular"]


def test_bold_texts_have_bold_fallbacks_where_there_are_any(fonts: FontCache) -> None:
    assert names(fonts, "مرحبا 漢 สวัสดี", "Arial", 700) == [
        *("Arimo-Bold", "NotoSansArabic-Bold", "NotoSansThai-Bold", "NotoSansCJK-Regular"),
    ]


def test_emoji_are_pictures_though_a_text_font_has_them(fonts: FontCache) -> None:
    """Symbols2 has a star and Arimo a heart suit, as signs of the text's colour."""
    assert uncovered("⭐", coverage(fonts.path("Noto Sans Symbols2"))) == []
    assert names(fonts, "⭐", "Noto Sans Symbols2") == ["NotoSansSymbols2-Regular", "TwemojiMozilla"]
    assert uncovered("♥", coverage(fonts.path("Arimo"))) == []
    assert names(fonts, "♥\ufe0f", "Arial") == ["Arimo-Regular", "TwemojiMozilla"]


def test_signs_are_drawn(fonts: FontCache) -> None:
    assert chain(fonts, "Arial", 400, False, "✓✔✗★→➜►♪①☑").missing == ()


def test_what_no_font_has_is_named_once_and_in_order(fonts: FontCache) -> None:
    found = chain(fonts, "Arial", 400, False, "a \u1b05 க \u1b05 e\u0301 \U000f0000")
    assert found.missing == ("\u1b05", "க", "\U000f0000")


def make_font(path: Path, family: str, weight: int, letters: str) -> None:
    """A font file with an empty glyph for each letter."""
    builder = FontBuilder(1000)
    glyphs = {letter: f"u{ord(letter):04X}" for letter in letters}
    builder.setupGlyphOrder([".notdef", *glyphs.values()])
    builder.setupCharacterMap({ord(letter): name for letter, name in glyphs.items()})
    builder.setupGlyf(dict.fromkeys([".notdef", *glyphs.values()], TTGlyphPen(None).glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *glyphs.values()], (500, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=weight)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)


def test_installed_fonts_fill_gaps_at_the_weight_that_is_nearest(tmp_path: Path) -> None:
    system = tmp_path / "system"
    for weight in (400, 700):
        make_font(system / f"A{weight}.ttf", "A", weight, "აა")
        make_font(system / f"Noto{weight}.ttf", "Noto Sans Georgian", weight, "აბ")
    fonts = FontCache(tmp_path / "fonts", system=[system])
    assert names(fonts, "ა") == ["Anton-Regular", "Noto400"]
    assert names(fonts, "აბ", weight=700) == ["Anton-Regular", "Noto700"]


def test_the_operators_fonts_go_before_those_that_ship(tmp_path: Path) -> None:
    make_font(tmp_path / "fonts" / "mine.ttf", "Noto Sans Thai", 400, "สวั ดี")
    assert names(FontCache(tmp_path / "fonts", system=()), "สวัสดี") == ["Anton-Regular", "mine"]


def test_an_unknown_family_is_unknown(fonts: FontCache) -> None:
    with pytest.raises(UnknownFont):
        chain(fonts, "No Such Family", 400, False, "a")


def test_files_that_are_no_fonts_cover_nothing(tmp_path: Path) -> None:
    (tmp_path / "noise.ttf").write_bytes(bytes(range(256)) * 40)
    assert uncovered("ab", coverage(tmp_path / "noise.ttf")) == ["a", "b"]
    assert uncovered("ab", coverage(tmp_path / "gone.ttf")) == ["a", "b"]
    cut = tmp_path / "cut.ttf"
    cut.write_bytes((SHIPPED / "Anton-Regular.ttf").read_bytes()[:3000])
    assert uncovered("ab", coverage(cut)) == ["a", "b"]
