"""Which family, weight and style each font file holds, remembered in a JSON file so that a file is read only once.

Knows nothing of requests, aliases or matching. Font files are read with fontTools, imported when the first new one
turns up.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

log = logging.getLogger("fonts_cache")

_VERSION = 1
_SUFFIXES = (".ttf", ".otf", ".ttc")
_NORMAL_WIDTH = 5


@dataclass(frozen=True, slots=True)
class Face:
    """One font file: the family it belongs to, its CSS weight (1 to 1000) and whether it slants."""

    path: Path
    family: str
    weight: int
    italic: bool


def scan(folders: Iterable[Path], index: Path) -> tuple[list[Face], dict[str, int]]:
    """Find the font files below `folders`, sorted by path within each.

    `index` is the JSON file that remembers what files hold by path, mtime and size; one that is missing, broken or
    cannot be written only costs time. Files that are no fonts are left out.

    Returns:
        The faces, and the mtime in ns of every folder that was walked: as long as `changed` says no, nothing was
        added, removed or replaced by renaming.
    """
    known = _load(index)
    seen: dict[str, Any] = {}
    stamps: dict[str, int] = {}
    for folder in folders:
        for path, stat in sorted(_walk(str(folder), stamps), key=lambda found: found[0]):
            if path in seen:
                continue
            entry = known.get(path)
            unchanged = _is_entry(entry) and entry[:2] == [stat.st_mtime_ns, stat.st_size]
            seen[path] = entry if unchanged else [stat.st_mtime_ns, stat.st_size, *_read(path)]
    if seen != known:
        _save(index, seen)
    return [Face(Path(path), *entry[2:]) for path, entry in seen.items() if entry[2]], stamps


def changed(stamps: dict[str, int]) -> bool:
    """Whether a walked folder is not as it was: one stat a folder."""
    return any(_mtime_ns(folder) != stamp for folder, stamp in stamps.items())


def _mtime_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1


def _walk(folder: str, stamps: dict[str, int]) -> Iterator[tuple[str, os.stat_result]]:
    """Font files below a folder. Hidden names and links to folders are not followed, so a walk always ends."""
    stamps[folder] = _mtime_ns(folder)
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, stamps)
            elif entry.name.lower().endswith(_SUFFIXES) and entry.is_file():
                yield entry.path, entry.stat()


def _read(path: str) -> tuple[str, int, bool]:
    """Family, weight and italic of a font file; an empty family where it cannot be read.

    A variable font counts as its default instance and a collection as its first font, because those are what is drawn
    when a renderer is given the path alone. A condensed or expanded face keeps its width in its family name.
    """
    tt_lib = importlib.import_module("fontTools.ttLib")
    try:
        # Opened here, for fontTools leaves a broken file open.
        with open(path, "rb") as file, tt_lib.TTFont(file, lazy=True, fontNumber=0) as font:
            names, os2 = font["name"], font["OS/2"]
            typographic = names.getDebugName(16) if os2.usWidthClass == _NORMAL_WIDTH else None
            family = (typographic or names.getDebugName(1) or "").strip()
            weight = min(max(int(os2.usWeightClass), 1), 1000)
            if "fvar" in font:
                weight = next((int(axis.defaultValue) for axis in font["fvar"].axes if axis.axisTag == "wght"), weight)
            # fsSelection: bit 0 is italic, bit 9 oblique (OpenType specification, table OS/2).
            return family, weight, bool(os2.fsSelection & 0b10_0000_0001)
    except Exception as exc:  # A broken file makes fontTools raise nearly anything, and must hide no other font.
        log.warning("font file skipped: %s: %s", path, exc)
        return "", 0, False


def _load(index: Path) -> dict[str, Any]:
    try:
        data = json.loads(index.read_bytes())
        files = data["files"] if data["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return files if isinstance(files, dict) else {}


def _is_entry(entry: Any) -> TypeGuard[list[Any]]:
    return isinstance(entry, list) and [type(item) for item in entry] == [int, int, str, int, bool]


def _save(index: Path, files: dict[str, Any]) -> None:
    """Write the index in one step. Two processes may do so at once: the last one wins, and both are right."""
    name = ""
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".index-", dir=index.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "files": files}, file)
        os.replace(name, index)
    except (OSError, ValueError) as exc:
        log.debug("font index not written: %s", exc)
        with suppress(OSError):
            os.unlink(name)
