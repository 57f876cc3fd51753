"""What is known about each clip: streams, focus, and whether it must be skipped; and how loud each track is. Kept in
one JSON file.

An entry holds as long as the file's size and time of change do; what has changed is looked at again. Losing the file
costs time, nothing else.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from daemon.errors import NotLookedAt
from render.inspect import MIN_CLIP_S, Inspection
from render.listen import Track
from render.plain import from_plain, to_plain

VERSION = 1
_log = logging.getLogger(__name__)

# As in the file: size, mtime_ns, and what was found, as plain JSON until it is asked for.
_Entry = dict[str, Any]
_NAMES: dict[type[Any], str] = {Inspection: "inspection", Track: "track"}
T = TypeVar("T")


class Catalogue:
    """Inspections by path. `inspect` looks at a clip that is new or has changed."""

    def __init__(self, path: Path, inspect: Callable[[Path], Inspection]) -> None:
        self._path = path
        self._inspect = inspect
        self._stamp: tuple[int, int] | None = None
        self._entries: dict[str, _Entry] = {}

    def inspection(self, clip: Path) -> Inspection:
        """What is known of a clip, after looking at it where need be.

        Raises:
            FFmpegError: it could not be looked at now.
            FileNotFoundError: it is not there any more.
        """
        if (known := self._known(clip, Inspection)) is not None:
            return known
        stat = clip.stat()  # from before the look: a file that grows meanwhile is looked at again
        found = self._inspect(clip)
        self._put(clip, stat, found)
        if found.defect:
            _log.warning(
                "A clip is skipped.", extra={"action": "clip_skipped", "clip": str(clip), "reason": found.defect}
            )
        return found

    def track(self, path: Path, listen: Callable[[Path], Track]) -> Track:
        """What is known of a track, after listening to it where need be.

        Raises:
            Exception: what `listen` raises.
        """
        try:
            known, stat = self._known(path, Track), path.stat()
        except FileNotFoundError:
            return listen(path)
        if known is not None:
            return known
        found = listen(path)
        self._put(path, stat, found)
        return found

    def skip(self, clip: Path, reason: str) -> None:
        """Never pick this clip again until it changes."""
        known = self._known(clip, Inspection)
        info, focus = (known.info, known.focus) if known else (None, (0.5, 0.5))
        self._put(clip, clip.stat(), Inspection(info, focus, reason))
        _log.warning("A clip is skipped.", extra={"action": "clip_skipped", "clip": str(clip), "reason": reason})

    def skipped(self) -> dict[Path, str]:
        """The files that are not picked, and why, as far as they were looked at."""
        self._refresh()
        found = {name: _defect(entry) for name, entry in self._entries.items()}
        return {Path(name): defect for name, defect in sorted(found.items()) if defect}

    def unskip(self, clip: Path) -> Inspection:
        """Look at a skipped clip again and let it be picked, until it changes: somebody who has seen it overrules what
        the look finds wrong with its picture. One that is broken or too short stays skipped.

        Raises:
            FFmpegError, FileNotFoundError: as `inspection` does.
        """
        stat = clip.stat()
        found = self._inspect(clip)
        video = found.info.video if found.info is not None else None
        if video is not None and video.duration_s >= MIN_CLIP_S:
            found = replace(found, defect="")
        self._put(clip, stat, found)
        return found

    def _known(self, path: Path, kind: type[T]) -> T | None:
        """What of this kind is known of a file; None where there is nothing, or it has changed since."""
        self._refresh()
        entry = self._entries.get(str(path))
        stat = path.stat()
        if entry is None or (entry.get("size"), entry.get("mtime_ns")) != (stat.st_size, stat.st_mtime_ns):
            return None
        try:
            return from_plain(kind, entry[_NAMES[kind]])
        except (KeyError, ValueError):
            return None

    def _put(self, clip: Path, stat: os.stat_result, found: Inspection | Track) -> None:
        """Keep an entry. Where it cannot be written it is kept for as long as this process lives."""
        entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, _NAMES[type(found)]: to_plain(found)}
        try:
            with self._alone():
                self._refresh()
                self._entries[str(clip)] = entry
                part = self._path.with_name(f"{self._path.name}.part")
                part.write_text(json.dumps({"version": VERSION, "clips": self._entries}))
                part.replace(self._path)
                self._stamp = _stamp(self._path)
        except OSError as exc:
            self._entries[str(clip)] = entry
            _log.warning("The catalogue cannot be written.", extra={"action": "catalogue_full", "reason": exc.strerror})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing between our reading and our writing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _refresh(self) -> None:
        """Read the file where another process has written it; entries of files that are gone are left out."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._entries = {name: entry for name, entry in _read(self._path).items() if os.path.exists(name)}
            self._stamp = stamp


def only_known(path: Path) -> Catalogue:
    """A catalogue that looks at nothing: `inspection` of a clip that is not known raises NotLookedAt."""

    def refuse(clip: Path) -> Inspection:
        raise NotLookedAt(clip.name)

    return Catalogue(path, refuse)


def _defect(entry: _Entry) -> str:
    inspection = entry.get("inspection")
    defect = inspection.get("defect") if isinstance(inspection, dict) else None
    return defect if isinstance(defect, str) else ""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def _read(path: Path) -> dict[str, _Entry]:
    try:
        data = json.loads(path.read_bytes())
        if data["version"] == VERSION:
            return {name: entry for name, entry in data["clips"].items() if isinstance(entry, dict)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        _log.warning("The catalogue is unreadable; clips are looked at again.", extra={"action": "catalogue_lost"})
    return {}
