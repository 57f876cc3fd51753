"""Where the lines of a text may break: cleans a text and cuts it into units. Knows no fonts and no sizes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Direction = Literal["ltr", "rtl"]

SPACES = " \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f\u3000\u200b"

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_TAB = "    "
_DROPPED = "\u00ad\ufeff"  # Soft hyphen and byte order mark.
_ZWJ = "\u200d"
# Unicode's limit for safe streams (UAX 15, section 13). Stacks beyond it are made to break renderers.
_MOST_MARKS = 30
_LONGEST_CLUSTER = 40

_DASHES = frozenset("-\u2010\u2013\u2014")
_NOT_LAST = frozenset("([{«‘“「『（【《〈〔｛［〝")  # noqa: RUF001
_NOT_FIRST = frozenset(
    "!%),.:;?]}»’”…‥、。，．：；？！％」』）】》〉〕｝］〟"  # noqa: RUF001
    "ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々゛゜・"
)
# Not even after a blank, which French puts before them.
_NEVER_FIRST = frozenset("!?:;»")


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
    """Cut a cleaned line where it may break: after blanks, hyphens and dashes, and around ideographs.

    A unit keeps the blanks behind it. The direction is that of the first letter that has one (UAX 9, rule P2).
    """
    units: list[str] = []
    for cluster in clusters(words):
        if units and not _breaks(units[-1], cluster):
            units[-1] += cluster
        else:
            units.append(cluster)
    kinds = (unicodedata.bidirectional(char) for char in words)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return Paragraph(tuple(units), "ltr" if first == "L" else "rtl")


def clusters(words: str) -> list[str]:
    """What a reader takes for one character each, nearly as UAX 29 has it. No cluster is endless."""
    found: list[str] = []
    for char in words:
        if found and len(found[-1]) < _LONGEST_CLUSTER and _joins(found[-1], char):
            found[-1] += char
        else:
            found.append(char)
    return found


def _breaks(before: str, after: str) -> bool:
    last, first = before[-1], after[0]
    if last in SPACES:
        return first not in SPACES and first not in _NEVER_FIRST
    if first in SPACES or first in _NOT_FIRST or last in _NOT_LAST:
        return False
    if last in _DASHES:
        return before[-2:-1].isalnum() and first.isalpha()
    return _ideographic(last) or _ideographic(first)


def _ideographic(char: str) -> bool:
    """Chinese and Japanese, which are written without blanks. Korean has them."""
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\uffef" or "\U00020000" <= char <= "\U0003ffff"


def _joins(cluster: str, char: str) -> bool:
    last = cluster[-1]
    if last in SPACES:
        return False
    if last == _ZWJ or _extends(char):
        return True
    if unicodedata.combining(last) == 9:  # A virama ties consonants together.
        return unicodedata.category(char) == "Lo"
    return len(cluster) == 1 and all("\U0001f1e6" <= flag <= "\U0001f1ff" for flag in (last, char))


def _extends(char: str) -> bool:
    """Marks and joiners, Thai and Lao AM, skin tones, flag tags, the vowels and finals of Korean syllables."""
    return (
        unicodedata.category(char)[0] == "M"
        or char in "\u200c\u200d\u0e33\u0eb3"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
        or "\u1160" <= char <= "\u11ff"
    )
