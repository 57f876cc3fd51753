"""Which code points a font file has glyphs for. Knows no families and no requests."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import uharfbuzz

# A bitmap font alone cannot be drawn at any size.
_OUTLINES = ("glyf", "CFF ", "CFF2")


def coverage(path: Path) -> uharfbuzz.Set:
    """The code points that a font file draws at any size; none where it cannot be read."""
    try:
        return _coverage(path, path.stat().st_mtime_ns)
    except OSError:
        return uharfbuzz.Set()


@lru_cache(maxsize=512)
def _coverage(path: Path, mtime_ns: int) -> uharfbuzz.Set:
    try:
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path))
    except uharfbuzz.HarfBuzzError:
        return uharfbuzz.Set()
    return face.unicodes if any(table in face.table_tags for table in _OUTLINES) else uharfbuzz.Set()


class Wanted:
    """The code points of some characters and of their parts, to see at once whether a font has any of them."""

    def __init__(self, chars: Iterable[str]) -> None:
        self._points = uharfbuzz.Set(map(ord, unicodedata.normalize("NFD", "".join(chars)) + "".join(chars)))

    def any_in(self, points: uharfbuzz.Set) -> bool:
        """Whether a font that covers these points has any."""
        common = self._points.copy()
        common.intersection_update(points)
        return bool(common)


def uncovered(chars: Iterable[str], points: uharfbuzz.Set) -> list[str]:
    """Those characters that are to be seen and have no glyph. What can be put together from parts counts as there."""
    return [char for char in chars if not _is_drawn(char, points)]


def _is_drawn(char: str, points: uharfbuzz.Set) -> bool:
    if ord(char) in points or _is_invisible(char):
        return True
    parts = unicodedata.normalize("NFD", char)
    return len(parts) > 1 and all(ord(part) in points for part in parts)


def _is_invisible(char: str) -> bool:
    is_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return is_selector or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
