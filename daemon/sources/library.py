"""The clip library as a folder: styles, tracks and logos by name. Opens no file, so that the API can use it.

    styles/<style>/*    clips        audio/*    tracks        logos/*    pictures

A folder of clips without `styles` is taken as a library of one style, named like the folder. A name is only ever
matched against what a listing holds, so no name reaches outside; entries that link to outside are not listed.
"""

from __future__ import annotations

from pathlib import Path

from daemon.errors import UnknownName
from render.problems import did_you_mean

CLIPS = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".3gp", ".flv")
)
TRACKS = frozenset((".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg", ".opus"))
LOGOS = frozenset((".png", ".jpg", ".jpeg", ".webp"))


class Library:
    """A library at `root`, which may be missing or empty."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def styles(self) -> dict[str, int]:
        """Names of styles and how many clips each holds, sorted; styles without clips are left out."""
        counted = {name: len(self._files(folder, CLIPS)) for name, folder in self._style_folders().items()}
        return {name: count for name, count in counted.items() if count}

    def clips(self, style: str) -> list[Path]:
        """The clips of a style, sorted by name.

        Raises:
            UnknownName: there is no such style, or nothing in it.
        """
        folder = _pick("style", style, self._style_folders())
        if not (clips := self._files(folder, CLIPS)):
            raise UnknownName("is a style of the library that holds no clips yet.")
        return clips

    def tracks(self) -> dict[str, Path]:
        """Tracks by name, which is the file's name without its suffix, sorted."""
        return {path.stem: path for path in self._files(self.root / "audio", TRACKS)}

    def track(self, name: str) -> Path:
        """A track by name, with or without suffix.

        Raises:
            UnknownName: there is no such track.
        """
        tracks = self.tracks()
        return _pick("track", name, tracks, {path.name: path for path in tracks.values()})

    def logos(self) -> dict[str, Path]:
        """Logos by file name, sorted."""
        return {path.name: path for path in self._files(self.root / "logos", LOGOS)}

    def logo(self, name: str) -> Path:
        """A logo by file name, with or without suffix.

        Raises:
            UnknownName: there is no such logo.
        """
        logos = self.logos()
        return _pick("logo", name, logos, {path.stem: path for path in logos.values()})

    def _style_folders(self) -> dict[str, Path]:
        inside = self.root / "styles"
        if inside.is_dir() and self._is_inside(inside):
            return {path.name: path for path in _entries(inside) if path.is_dir() and self._is_inside(path)}
        return {self.root.resolve().name: self.root} if self._files(self.root, CLIPS) else {}

    def _files(self, folder: Path, suffixes: frozenset[str]) -> list[Path]:
        return [
            path
            for path in (_entries(folder) if self._is_inside(folder) else [])
            if path.suffix.lower() in suffixes and path.is_file() and self._is_inside(path)
        ]

    def _is_inside(self, path: Path) -> bool:
        return not path.is_symlink() or path.resolve().is_relative_to(self.root.resolve())


def _entries(folder: Path) -> list[Path]:
    """Visible entries, sorted; none where the folder is missing or must not be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _pick(what: str, name: str, listed: dict[str, Path], also: dict[str, Path] | None = None) -> Path:
    """Find a name among those that are listed and others that mean the same, at last without regard to case."""
    known = {**(also or {}), **listed}
    folded = {key.casefold(): path for key, path in known.items()}
    if (path := known.get(name) or folded.get(name.casefold())) is not None:
        return path
    hint = did_you_mean(name, listed) or (
        " Known: " + ", ".join(list(listed)[:12]) + "." if listed else " There is none."
    )
    raise UnknownName(f"is no {what} of the library.{hint}")
