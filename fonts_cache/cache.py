"""Finds the file for a font name, weight and style. Knows nothing of rendering or jobs; the network is behind
`GoogleFonts`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from fonts_cache.aliases import ALIASES, FETCHED, SILENT
from fonts_cache.google import GoogleFonts, NotFetched, folded
from fonts_cache.index import Face, changed, scan
from fonts_cache.matching import nearness
from fonts_cache.routes import is_family

SHIPPED = Path(__file__).parent / "fonts"
SYSTEM = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))

_LONGEST_NAME = 100
# Letters that somebody may have forgotten of a name, or written too many.
_SLIPS = 3
# What stands in for a family that cannot be fetched, by its category.
_STAND_INS = {"serif": "Tinos", "monospace": "Cousine", "handwriting": "Caveat", "display": "Anton"}
_PLAIN = "Arimo"


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
    `google` are the families that can be fetched; without it, and offline, only files that lie here count.
    """

    def __init__(self, root: Path, system: Sequence[Path] = SYSTEM, google: GoogleFonts | None = None) -> None:
        self.google = google
        # Downloaded files before those that ship: they are whole.
        fetched = (google.root,) if google else ()
        self._folders = (root, *fetched, SHIPPED, *system)
        self._index = root / ".index.json"
        self._stamps: dict[str, int] = {"": 0}  # No such folder: the first look always scans.
        self._faces: dict[str, list[Face]] = {}
        self._names: dict[str, str] = {}

    def path(self, family: str, weight: int = 400, italic: bool = False) -> Path:
        """The file of a family that is nearest to a weight (1 to 1000) and style, as it lies here: nothing is fetched.

        Case, spaces and hyphens of the name do not count. Nearest is as CSS Fonts Level 4, section 5.2, has it: style
        goes before weight. For a family that Google Fonts has, or may have, a font that ships stands in until
        `provide` has fetched it.

        Raises:
            UnknownFont: no file, no alias and no family of the catalogue bears that name.
        """
        return self._face(family, weight, italic).path

    def own(self, family: str, weight: int, italic: bool = False) -> Path | None:
        """As `path`, but only of a family that really bears the name, and None where none lies here."""
        self._refresh()
        faces = self._faces.get(folded(family))
        return self._used(_nearest(faces, weight, italic)).path if faces else None

    def fetched(self, family: str, weight: int) -> Path | None:
        """As `own`, fetched from Google Fonts where the catalogue has it and this process may."""
        if (path := self.own(family, weight)) or not self.google or not self.google.is_asked:
            return path
        try:
            self.google.refresh()
            return self.google.face(family, weight, False)
        except NotFetched:
            return None

    def provide(self, family: str, weight: int = 400, italic: bool = False) -> str | None:
        """Fetch a face where it is not here, Google Fonts has it and this process may; then say in a sentence what
        `path` gives instead, or None where it is what was asked for, or its metric twin.

        Raises:
            UnknownFont: as `path` does.
        """
        reason = self._fetch(family, weight, italic)
        face = self._face(family, weight, italic)
        if folded(face.family) == folded(family) or self._is_downloaded(face, family):
            if not reason:
                return None
            used = f"{face.weight}{' italic' if face.italic else ''}"
            return (
                f"{_style(family, weight, italic)} could not be fetched ({reason}); its weight {used} is used instead."
            )
        alias = _ALIAS_NAMES.get(folded(family))
        if alias:
            like = f"{family} is not here; {face.family}, which looks alike, is used instead."
            return None if alias in SILENT and folded(face.family) in _EQUALS[alias] else like
        if reason is None:
            return f"{family} is fetched from Google Fonts when the film is made; until then {face.family} stands in."
        near = "" if self.google and self.google.offer(family, weight, italic) else self._hint(family)
        return f"{family} could not be fetched ({reason}); {face.family} is used instead.{near}"

    def _hint(self, family: str) -> str:
        near = self.suggest(family)
        return f" Did you mean {' or '.join(near)}?" if near else ""

    def doubt(self, family: str) -> str | None:
        """A sentence where only making the film will show whether there is such a family; else None."""
        self._refresh()
        if folded(family) in self._names or not self._may_exist(family):
            return None
        return (
            f"Whether Google Fonts has a family called {family} shows when the film is made; if not, {_PLAIN} is used."
        )

    def others(self, weight: int) -> list[Path]:
        """Of every family that lies here the upright file nearest to a weight; those of Noto first, they are made to
        stand in for others."""
        self._refresh()
        names = sorted(self._faces, key=lambda name: (not name.startswith("notosans"), name))
        return [_nearest(self._faces[name], weight, False).path for name in names]

    def families(self) -> list[str]:
        """Every name that lies here, aliases included, sorted without regard to case."""
        self._refresh()
        return sorted(self._names.values(), key=lambda name: (name.casefold(), name))

    def faces(self) -> list[Face]:
        """Every face that lies here."""
        self._refresh()
        return [face for faces in self._faces.values() for face in faces]

    def suggest(self, name: str) -> list[str]:
        """Up to three known names that look like this one, best first: those that lie here, then the catalogue's."""
        self._refresh()
        wanted = folded(name[:_LONGEST_NAME])
        names = dict(self._names)
        if self.google:
            # Of two thousand families only those that a slip may have been meant as: each comparison takes a while.
            known = self.google.families().items()
            near = (item for item in known if item[0][0] == wanted[:1] and abs(len(item[0]) - len(wanted)) <= _SLIPS)
            names = {key: one.name for key, one in near} | names
        return [names[key] for key in difflib.get_close_matches(wanted, names)]

    def _face(self, family: str, weight: int, italic: bool) -> Face:
        self._refresh()
        name = folded(family)
        faces = self._faces.get(name) or self._faces.get(_BETTER.get(name, "")) or self._faces.get(_TWINS.get(name, ""))
        if not faces:
            faces = self._downloaded(family, weight, italic) or self._stand_ins(family)
        if not faces:
            raise UnknownFont(family, self.suggest(family))
        return self._used(_nearest(faces, weight, italic))

    def _used(self, face: Face) -> Face:
        if self.google:
            self.google.note_use(face.path)
        return face

    def _downloaded(self, family: str, weight: int, italic: bool) -> list[Face] | None:
        """A downloaded file that calls itself something else than its family is called at Google."""
        path = self.google.nearest_path(family, weight, italic) if self.google and is_family(family) else None
        return [Face(path, family, weight, italic)] if path and path.is_file() else None

    def _is_downloaded(self, face: Face, family: str) -> bool:
        return self.google is not None and face.path == self.google.nearest_path(family, face.weight, face.italic)

    def _stand_ins(self, family: str) -> list[Face] | None:
        known = self.google.families().get(folded(family)) if self.google else None
        if known is None and not self._may_exist(family):
            return None
        return self._faces.get(folded(_STAND_INS.get(known.category, _PLAIN) if known else _PLAIN))

    def _may_exist(self, family: str) -> bool:
        """Whether a font stands in for a name that is not known: it can be one of Google Fonts', and is no slip in one
        that lies here. With the catalogue at hand only where films are made: the name may be accepted without it."""
        if self.google is None or not is_family(family) or (self.google.families() and not self.google.is_asked):
            return False
        return not any(_is_slip(folded(family), name) for name in self._names)

    def _fetch(self, family: str, weight: int, italic: bool) -> str | None:
        """Fetch a face if that brings one nearer; why that failed, or None."""
        self._refresh()
        wanted = self._to_fetch(family)
        if not wanted or self.google is None or not self.google.is_asked or self._is_here(wanted, weight, italic):
            return None
        with suppress(NotFetched):
            self.google.refresh()
        if (faces := self._faces.get(folded(wanted))) and not self._is_nearer(wanted, faces, weight, italic):
            return None
        try:
            self.google.face(wanted, weight, italic)
        except NotFetched as exc:
            return str(exc).rstrip(".")
        return None

    def _to_fetch(self, family: str) -> str:
        """The family to ask Google Fonts for: the one that is named or a well-known name's twin, or nothing."""
        name = folded(family)
        if name in self._faces or name not in _TWINS:
            return family
        return FETCHED.get(_ALIAS_NAMES[name], "")

    def _is_nearer(self, family: str, faces: list[Face], weight: int, italic: bool) -> bool:
        """Whether the catalogue has a nearer face than those that lie here. A family that it does not have is the
        operator's own, and nobody else's business."""
        offer = self.google.offer(family, weight, italic) if self.google else None
        here = _nearest(faces, weight, italic)
        return offer is not None and (
            nearness(*offer, weight, italic) < nearness(here.weight, here.italic, weight, italic)
        )

    def _is_here(self, family: str, weight: int, italic: bool) -> bool:
        self._refresh()
        faces = self._faces.get(folded(family), ())
        return any((face.weight, face.italic) == (weight, italic) for face in faces)

    def _refresh(self) -> None:
        """Look again where a folder has changed. What is replaced, is replaced whole: threads may share a cache."""
        if not changed(self._stamps):
            return
        faces, stamps = scan(self._folders, self._index)
        by_name = _grouped(faces)
        names = {folded(alias): alias for alias, twin in ALIASES.items() if folded(twin) in by_name}
        names.update({key: members[0].family for key, members in by_name.items()})
        self._faces, self._names, self._stamps = by_name, names, stamps


_ALIAS_NAMES = {folded(alias): alias for alias in ALIASES}
_TWINS = {folded(alias): folded(twin) for alias, twin in ALIASES.items()}
_BETTER = {folded(alias): folded(twin) for alias, twin in FETCHED.items()}
# What has the widths of a model: its fetched twin, where there is one, else the one that ships.
_EQUALS = {alias: {folded(FETCHED.get(alias, twin))} for alias, twin in ALIASES.items()}


def _grouped(faces: Iterable[Face]) -> dict[str, list[Face]]:
    """Faces by folded family name. Of two alike, the one from the earlier folder counts, for `min` keeps the first."""
    grouped: dict[str, list[Face]] = {}
    for face in faces:
        grouped.setdefault(folded(face.family), []).append(face)
    return grouped


def _nearest(faces: Iterable[Face], weight: int, italic: bool) -> Face:
    return min(faces, key=lambda face: nearness(face.weight, face.italic, weight, italic))


def _style(family: str, weight: int, italic: bool) -> str:
    return f"{family} {weight}{' italic' if italic else ''}"


def _is_slip(name: str, meant: str) -> bool:
    """Whether two names differ by one letter more, less or other."""
    if abs(len(name) - len(meant)) > 1 or name == meant:
        return False
    begin = 0
    while begin < min(len(name), len(meant)) and name[begin] == meant[begin]:
        begin += 1
    longer = max(len(name), len(meant))
    end = 0
    while end < min(len(name), len(meant)) - begin and name[-1 - end] == meant[-1 - end]:
        end += 1
    return longer - begin - end <= 1
