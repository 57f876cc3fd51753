"""Finds the fonts of texts for the compilers, and collects what the one who asked should know of it."""

from __future__ import annotations

from pathlib import Path

from fonts_cache import FontCache
from fonts_cache.fallback import chain
from render.spec import Words

_MOST_NAMED = 8


class Lettering:
    """A font finder that remembers what no font draws."""

    def __init__(self, fonts: FontCache) -> None:
        self._fonts = fonts
        self._missing: dict[str, None] = {}
        self._notes: dict[tuple[str, int, bool], str | None] = {}

    def __call__(self, family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]:
        """The files that draw a text, in order, fetched where they may be.

        Raises:
            UnknownFont: the family is not known.
        """
        if (face := (family, weight, italic)) not in self._notes:
            self._notes[face] = self._fonts.provide(*face)
        found = chain(self._fonts, family, weight, italic, text)
        self._missing |= dict.fromkeys(found.missing)
        return found.paths

    def warnings(self) -> tuple[str, ...]:
        """Plain sentences about the texts so far."""
        notes = tuple(dict.fromkeys(note for note in self._notes.values() if note))
        return notes + self.missing()

    def missing(self) -> tuple[str, ...]:
        """A sentence about what no font draws, if there is anything."""
        if not self._missing:
            return ()
        named = ", ".join(f"U+{ord(char):04X} {char}" for char in list(self._missing)[:_MOST_NAMED])
        more = f" and {len(self._missing) - _MOST_NAMED} more" if len(self._missing) > _MOST_NAMED else ""
        google = self._fonts.google
        may_come = "unless one is fetched for the film, " if google is not None and not google.is_asked else ""
        return (f"No font that is there has a glyph for {named}{more}; {may_come}an empty box is drawn instead.",)


def warnings_of(texts: list[Words], fonts: FontCache) -> tuple[str, ...]:
    """What to know of the fonts of some texts before they are drawn. Nothing is fetched for it."""
    lettering = Lettering(fonts)
    for words in texts:
        lettering(words.font, words.font_weight, words.italic, words.text)
    doubts = (fonts.doubt(words.font) for words in texts)
    return (*dict.fromkeys(doubt for doubt in doubts if doubt), *lettering.missing())
