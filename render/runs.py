"""Cuts a line into runs, stretches of one font and one direction, in the order in which they are seen. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from unicodedata import normalize

from render.bidi import Direction, levels, visual
from render.emoji import is_emoji
from render.wrap import SPACES, clusters, invisible

Language = Literal["ja", "ko"]

# Scripts whose letters hang together; pulled apart they are no words any more.
_JOINED = frozenset(
    (
        "ARABIC",
        "SYRIAC",
        "MONGOLIAN",
        "NKO",
        "MANDAIC",
        "ADLAM",
        "HANIFI",
        "PHAGS-PA",
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
    )
)
# Bidirectional classes that make a line run to the left, or may.
_TURNS = frozenset(("R", "AL", "AN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))


@dataclass(frozen=True, slots=True)
class Coverage:
    """The code points that a font has glyphs for; `color` says that its glyphs are pictures."""

    points: Container[int]
    color: bool = False

    def draws(self, cluster: str) -> bool:
        """Whether there is a glyph for all that is to be seen. What HarfBuzz puts together from parts counts."""
        return all(self._draws(char) for char in cluster)

    def _draws(self, char: str) -> bool:
        if ord(char) in self.points or char == "\n":
            return True
        if char in SPACES:  # HarfBuzz makes any of them from the usual one.
            return ord(" ") in self.points
        if invisible(char):
            return True
        parts = normalize("NFD", char)
        return len(parts) > 1 and all(ord(part) in self.points for part in parts)


@dataclass(frozen=True, slots=True)
class Run:
    """Words for one font, given by its place in the chain, that run in one direction; `start` is where in the line."""

    words: str
    font: int
    direction: Direction
    start: int = 0


def runs(words: str, direction: Direction, chain: Sequence[Coverage], apart: bool) -> tuple[Run, ...]:
    """Cut a line, from left to right as it is seen. No cluster is cut.

    `apart` makes a run of every cluster, but for letters that are joined, so that they can be spaced.
    """
    found: list[Run] = []
    depths: list[int] = []
    all_levels = levels(words, direction)
    at = 0
    for cluster, font in _with_fonts(words, chain):
        level = all_levels[at]
        goes_on = bool(found) and found[-1].font == font and depths[-1] == level
        if goes_on and (not apart or (_joins(found[-1].words[-1]) and _joins(cluster[0]))):
            found[-1] = replace(found[-1], words=found[-1].words + cluster)
        else:
            found.append(Run(cluster, font, "rtl" if level % 2 else "ltr", at))
            depths.append(level)
        at += len(cluster)
    return tuple(visual(found, depths))


def missing(words: str, chain: Sequence[Coverage]) -> tuple[str, ...]:
    """Characters that no font of the chain has a glyph for, each once, in order."""
    return tuple(char for char in dict.fromkeys(words) if not any(font.draws(char) for font in chain))


def is_simple(words: str, chain: Sequence[Coverage]) -> bool:
    """Whether the first font draws every cluster of a text, and all of it runs to the right."""
    if chain[0].color or any(unicodedata.bidirectional(char) in _TURNS for char in words):
        return False
    return all(font == 0 for _, font in _with_fonts(words, chain))


def language(words: str) -> Language | None:
    """Whose forms of Chinese characters a text wants: kana are Japanese, hangul is Korean."""
    if any("\u3041" <= char <= "\u30ff" for char in words):
        return "ja"
    return "ko" if any("\uac00" <= char <= "\ud7a3" for char in words) else None


def _with_fonts(words: str, chain: Sequence[Coverage]) -> Iterator[tuple[str, int]]:
    """Clusters and their fonts. A blank stays with what is before it, so that runs are not cut up."""
    before = 0
    for cluster in clusters(words):
        if not (cluster[0] in SPACES and not chain[before].color and chain[before].draws(cluster)):
            before = _font(cluster, chain)
        yield cluster, before


def _font(cluster: str, chain: Sequence[Coverage]) -> int:
    """The first font that draws a cluster, pictures first for emoji and last for all others.

    Where none draws all of it, it is the first text font that draws how it begins, and at last the first font, which
    then shows a box.
    """
    pictures_first = is_emoji(cluster)
    order = sorted(range(len(chain)), key=lambda place: chain[place].color != pictures_first)
    for place in order:
        if chain[place].draws(cluster):
            return place
    return next((place for place in order if chain[place].draws(cluster[0])), 0)


def _joins(char: str) -> bool:
    return unicodedata.name(char, "").split(" ", 1)[0] in _JOINED or unicodedata.category(char)[0] == "M"
