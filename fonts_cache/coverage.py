"""Which code points a font file has glyphs for. Knows no families and no requests."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable
from functools import lru_cache
from pathlib import Path

import uharfbuzz

# A bitmap font alone cannot be drawn at any size.
_OUTLINES = ("glyf", "CFF ", "CFF2")


def coverage(path: Path) -> Container[int]:
    """The code points that a font file draws at any size; none where it cannot be read."""
    try:
        return _coverage(path, path.stat().st_mtime_ns)
    except OSError:
        return frozenset()


@lru_cache(maxsize=512)
def _coverage(path: Path, mtime_ns: int) -> Container[int]:
    try:
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path))
    except uharfbuzz.HarfBuzzError:
        return frozenset()
    return face.unicodes if any(table in face.table_tags for table in _OUTLINES) else frozenset()


def uncovered(chars: Iterable[str], points: Container[int]) -> list[str]:
    """Those characters that are to be seen and have no glyph. What can be put together from parts counts as there."""
    return [char for char in chars if not _is_drawn(char, points)]


def _is_drawn(char: str, points: Container[int]) -> bool:
    if ord(char) in points or _is_invisible(char):
        return True
    parts = unicodedata.normalize("NFD", char)
    return len(parts) > 1 and all(ord(part) in points for part in parts)


def _is_invisible(char: str) -> bool:
    is_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return is_selector or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
