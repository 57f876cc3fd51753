"""Which fonts stand in where a chosen one has no glyph: only those that a text needs, in order. Knows no rendering."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fonts_cache.cache import FontCache
from fonts_cache.coverage import Wanted, coverage, uncovered

EMOJI = "Twemoji Mozilla"
# Those that ship, by the scripts that they are for.
SHIPPED = (
    *("Arimo", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans CJK SC"),
    *("Noto Sans Symbols", "Noto Sans Symbols2", EMOJI),
)
# Families that are named otherwise than the first word of their characters' names.
_FAMILIES = {
    "CJK": ("Noto Sans SC", "Noto Sans TC", "Noto Sans JP"),
    "HIRAGANA": ("Noto Sans JP",),
    "KATAKANA": ("Noto Sans JP",),
    "HANGUL": ("Noto Sans KR",),
    "BOPOMOFO": ("Noto Sans TC",),
    "OLD": ("Noto Sans Symbols",),
    "MATHEMATICAL": ("Noto Sans Math",),
}
_SYMBOLS = ("Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math")
# More scripts than these in one text are a test of patience.
_MOST_FALLBACKS = 12
# From here on a character may be an emoji, before it are digits and signs such as (c).
_FIRST_EMOJI = "\u203c"


@dataclass(frozen=True, slots=True)
class Chain:
    """The files that draw a text, the chosen face first, and the characters that none of them has, each once."""

    paths: tuple[Path, ...]
    missing: tuple[str, ...]


def chain(fonts: FontCache, family: str, weight: int, italic: bool, text: str) -> Chain:
    """Find the fonts that draw a text.

    Raises:
        UnknownFont: no file and no alias bears the family's name.
    """
    paths = [fonts.path(family, weight, italic)]
    open_ = uncovered(dict.fromkeys(unicodedata.normalize("NFC", text)), coverage(paths[0]))
    for stage in (_shipped, _installed, _made_for):
        wanted = Wanted(open_)
        for path in stage(fonts, weight, open_) if open_ else ():
            if len(paths) > _MOST_FALLBACKS or not open_:
                break
            if wanted.any_in(coverage(path)) and len(left := uncovered(open_, coverage(path))) < len(open_):
                paths.append(path)
                open_, wanted = left, Wanted(left)
    if (emoji := _emoji(fonts, text)) and emoji not in paths:
        paths.append(emoji)
    return Chain(tuple(paths), tuple(open_))


def _emoji(fonts: FontCache, text: str) -> Path | None:
    """The emoji font, where it has any of the characters: that a text font has it, too, does not make it a picture."""
    path = fonts.own(EMOJI, 400)
    points = coverage(path) if path else ()
    return path if any(char >= _FIRST_EMOJI and ord(char) in points for char in text) else None


def _shipped(fonts: FontCache, weight: int, chars: list[str]) -> Iterator[Path]:
    yield from (path for family in SHIPPED if (path := fonts.own(family, weight)))


def _installed(fonts: FontCache, weight: int, chars: list[str]) -> Iterator[Path]:
    yield from fonts.others(weight)


def _made_for(fonts: FontCache, weight: int, chars: list[str]) -> Iterator[Path]:
    """Fonts of the families that are made for the scripts of some characters, fetched where they may be."""
    families = dict.fromkeys(family for char in chars for family in _families(char))
    yield from (path for family in families if (path := fonts.fetched(family, weight)))


def _families(char: str) -> tuple[str, ...]:
    word = unicodedata.name(char, "").split(" ", 1)[0].split("-", 1)[0]
    return _FAMILIES.get(word, (f"Noto Sans {word.title()}", *_SYMBOLS) if word else ())
