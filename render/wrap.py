"""Where the lines of a text may break: cleans a text and cuts it into units. Knows no fonts and no sizes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from icu4py.breakers import CharacterBreaker, LineBreaker

from render.bidi import Direction

SPACES = " \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f\u3000\u200b"

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_TAB = "    "
_DROPPED = "\u00ad\ufeff"  # Soft hyphen and byte order mark.
# Unicode's limit for safe streams (UAX 15, section 13). Stacks beyond it are made to break renderers.
_MOST_MARKS = 30
_LONGEST_CLUSTER = 40

# Not even after a blank, which French puts before them.
_NEVER_FIRST = frozenset("!?:;»")
_NOT_FIRST = frozenset("+\u2010\u2013\u2014")
_ANY_LANGUAGE = "root"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What stands between two newlines: the units between which a line may break, and the direction it is read in."""

    units: tuple[str, ...]
    direction: Direction


def clean(text: str) -> str:
    """Lines that can be drawn, joined by newlines; empty where nothing would be seen.

    Goes: lone surrogates, control characters, blanks around lines, blank lines around the text, endless stacks of
    combining marks. What remains is in Unicode's composed form (NFC).
    """
    text = text.encode("utf-8", "ignore").decode("utf-8")  # Drops lone surrogates.
    text = _NEWLINES.sub("\n", text).replace("\t", _TAB)
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category[0] == "M" else 0
        if marks <= _MOST_MARKS and char not in _DROPPED and (category != "Cc" or char == "\n"):
            kept.append(char)
    lines = [line.strip(SPACES) for line in unicodedata.normalize("NFC", "".join(kept)).split("\n")]
    seen = [number for number, line in enumerate(lines) if not all(map(invisible, line))]
    return "\n".join(lines[seen[0] : seen[-1] + 1]) if seen else ""


def invisible(char: str) -> bool:
    """Blanks, joiners, direction marks and variation selectors: what needs no glyph."""
    is_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return is_selector or unicodedata.category(char) in ("Cc", "Cf", "Zs")


def paragraph(words: str) -> Paragraph:
    """Cut a cleaned line where it may break, as UAX 14 has it: with dictionaries for Thai, Lao, Khmer and Burmese, and
    Korean at its blanks alone.

    A unit keeps the blanks behind it. The direction is that of the first letter that has one (UAX 9, rule P2).
    """
    units: list[str] = []
    for unit in LineBreaker(words, _ANY_LANGUAGE):
        if units and _holds_together(units[-1][-1], unit[0]):
            units[-1] += unit
        else:
            units.append(unit)
    kinds = (unicodedata.bidirectional(char) for char in words)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return Paragraph(tuple(units), "ltr" if first == "L" else "rtl")


def clusters(words: str) -> list[str]:
    """What a reader takes for one character each (UAX 29). No cluster is endless."""
    return [
        cluster[start : start + _LONGEST_CLUSTER]
        for cluster in CharacterBreaker(words, _ANY_LANGUAGE)
        for start in range(0, len(cluster), _LONGEST_CLUSTER)
    ]


def _holds_together(last: str, first: str) -> bool:
    if first in _NEVER_FIRST or (first in _NOT_FIRST and last not in SPACES):
        return True
    return _is_hangul(last) and _is_hangul(first)


def _is_hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3"
