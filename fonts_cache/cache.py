"""Finds the file for a font name, weight and style. Knows nothing of rendering, jobs or the network."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from fonts_cache.aliases import ALIASES
from fonts_cache.index import Face, changed, scan

SHIPPED = Path(__file__).parent / "fonts"
SYSTEM = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))

_LONGEST_NAME = 100


class UnknownFont(Exception):
    """No font bears that name. `suggestions` are names that look like it, best first."""

    def __init__(self, family: str, suggestions: Sequence[str]) -> None:
        self.family = family
        self.suggestions = tuple(suggestions)
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if suggestions else ""
        super().__init__(f"no font is called {family[:_LONGEST_NAME]!r}{hint}")


class FontCache:
    """Font names to files.

    `root` is the operator's folder of font files. It goes before the fonts that ship, and they go before the system's;
    the faces of one family may come from several of them. Files that appear later are found without a restart.
    """

    def __init__(self, root: Path, system: Sequence[Path] = SYSTEM) -> None:
        self._folders = (root, SHIPPED, *system)
        self._index = root / ".index.json"
        self._stamps: dict[str, int] = {"": 0}  # No such folder: the first look always scans.
        self._faces: dict[str, list[Face]] = {}
        self._names: dict[str, str] = {}

    def path(self, family: str, weight: int = 400, italic: bool = False) -> Path:
        """The file of a family that is nearest to a weight (1 to 1000) and style.

        Case, spaces and hyphens of the name do not count. Nearest is as CSS Fonts Level 4, section 5.2, has it: style
        goes before weight.

        Raises:
            UnknownFont: no file and no alias bears that name.
        """
        self._refresh()
        name = _folded(family)
        faces = self._faces.get(name) or self._faces.get(_folded(_TWINS.get(name, "")))
        if not faces:
            raise UnknownFont(family, self.suggest(family))
        return min(faces, key=lambda face: (face.italic != italic, _distance(face.weight, weight))).path

    def others(self, weight: int) -> list[Path]:
        """Of every family that lies here the upright file nearest to a weight; those of Noto first, they are made to
        stand in for others."""
        self._refresh()
        names = sorted(self._faces, key=lambda name: (not name.startswith("notosans"), name))
        nearest = (
            min(self._faces[name], key=lambda face: (face.italic, _distance(face.weight, weight))) for name in names
        )
        return [face.path for face in nearest]

    def families(self) -> list[str]:
        """Every name that `path` knows, aliases included, sorted without regard to case."""
        self._refresh()
        return sorted(self._names.values(), key=lambda name: (name.casefold(), name))

    def suggest(self, name: str) -> list[str]:
        """Up to three known names that look like this one, best first."""
        self._refresh()
        close = difflib.get_close_matches(_folded(name[:_LONGEST_NAME]), self._names)
        return [self._names[key] for key in close]

    def _refresh(self) -> None:
        """Look again where a folder has changed. What is replaced, is replaced whole: threads may share a cache."""
        if not changed(self._stamps):
            return
        faces, stamps = scan(self._folders, self._index)
        by_name = _grouped(faces)
        names = {_folded(alias): alias for alias, twin in ALIASES.items() if _folded(twin) in by_name}
        names.update({key: members[0].family for key, members in by_name.items()})
        self._faces, self._names, self._stamps = by_name, names, stamps


def _folded(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in " -_\t")


_TWINS = {_folded(alias): twin for alias, twin in ALIASES.items()}


def _grouped(faces: Iterable[Face]) -> dict[str, list[Face]]:
    """Faces by folded family name. Of two alike, the one from the earlier folder counts, for `min` keeps the first."""
    grouped: dict[str, list[Face]] = {}
    for face in faces:
        grouped.setdefault(_folded(face.family), []).append(face)
    return grouped


def _distance(weight: int, wanted: int) -> tuple[int, int]:
    """Sort key of a weight, after CSS Fonts Level 4, section 5.2: which side is tried first, then how far away."""
    if weight == wanted:
        return 0, 0
    if 400 <= wanted <= 500:
        side = 1 if wanted < weight <= 500 else 2 if weight < wanted else 3
    else:
        first_is_lighter = wanted < 400
        side = 1 if (weight < wanted) == first_is_lighter else 2
    return side, abs(weight - wanted)
