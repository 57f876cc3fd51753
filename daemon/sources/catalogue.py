"""What is known about each clip: streams, focus, and whether it must be skipped. Kept in one JSON file.

An entry holds as long as the file's size and time of change do; a clip that changed is looked at again. Losing the file
costs time, nothing else.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from render.inspect import Inspection
from render.plain import from_plain, to_plain

VERSION = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip as it was when it was looked at."""

    size: int
    mtime_ns: int
    inspection: Inspection


class Catalogue:
    """Inspections by path. `inspect` looks at a clip that is new or has changed."""

    def __init__(self, path: Path, inspect: Callable[[Path], Inspection]) -> None:
        self._path = path
        self._inspect = inspect
        self._entries = _read(path)

    def inspection(self, clip: Path) -> Inspection:
        """What is known of a clip, after looking at it where need be.

        Raises:
            MediaError: it could not be looked at.
        """
        stat = clip.stat()
        entry = self._entries.get(str(clip))
        if entry is None or (entry.size, entry.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            entry = Entry(stat.st_size, stat.st_mtime_ns, self._inspect(clip))
            self._put(clip, entry)
            if entry.inspection.defect:
                _log.warning(
                    "clip skipped", extra={"action": "clip_skipped", "clip": str(clip), "reason": entry.inspection.defect}
                )
        return entry.inspection

    def skip(self, clip: Path, reason: str) -> None:
        """Never pick this clip again until it changes."""
        entry = self._entries.get(str(clip))
        if entry is not None:
            self._put(clip, replace(entry, inspection=replace(entry.inspection, defect=reason)))

    def skipped(self) -> dict[str, str]:
        """Paths of the clips that are skipped, with the reason of each."""
        return {path: entry.inspection.defect for path, entry in self._entries.items() if entry.inspection.defect}

    def _put(self, clip: Path, entry: Entry) -> None:
        # Another process may have written meanwhile: what it learned is kept.
        self._entries = _read(self._path) | self._entries | {str(clip): entry}
        self._entries = {path: one for path, one in self._entries.items() if os.path.exists(path)}
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"version": VERSION, "clips": {path: to_plain(e) for path, e in self._entries.items()}}))
        part.replace(self._path)


def _read(path: Path) -> dict[str, Entry]:
    try:
        data = json.loads(path.read_bytes())
        if data["version"] != VERSION:
            return {}
        return {name: from_plain(Entry, value) for name, value in data["clips"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        _log.warning("catalogue unreadable, clips will be looked at again", extra={"action": "catalogue_lost"})
        return {}
