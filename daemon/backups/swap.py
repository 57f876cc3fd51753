"""Puts files in the place of others, all or none, whatever dies in between. Knows places, and not what they hold.

What is to be placed lies in a folder that gets its final name by one rename: from then on it is decided, and whoever
comes next (the same command, or any that opens the database) goes on where the last one was.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from daemon import failpoints
from daemon.backups.presence import give_to_owner

_PART, _DECIDED, _WHEN = "restore.part", "restore.decided", "when"
# What SQLite keeps beside a database and must never meet another one.
_BESIDE = ("-wal", "-shm", "-journal")


class Swap:
    """The swap of a data folder. `places` are the files by the names that they have in a backup."""

    def __init__(self, data: Path, places: Mapping[str, Path]) -> None:
        self._data = data
        self._places = places
        self.part = data / _PART
        self._decided = data / _DECIDED

    @property
    def is_decided(self) -> bool:
        """Whether a swap has to be finished before anything else."""
        return self._decided.is_dir()

    def begin(self) -> None:
        """Make the empty folder `part` for the new files.

        Raises:
            OSError: it cannot be made.
        """
        shutil.rmtree(self.part, ignore_errors=True)
        self.part.mkdir(0o700)

    def abandon(self) -> None:
        """Take away what is not decided."""
        shutil.rmtree(self.part, ignore_errors=True)

    def decide(self, now: datetime | None = None) -> Path:
        """Put everything in `part` in its place; returns the folder where the old files are.

        Raises:
            OSError: there is no room, before anything has changed; or a move failed, and the next run goes on.
        """
        (self.part / _WHEN).write_text(f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        for path in self.part.iterdir():
            give_to_owner(path, self._data)
            _sync(path)
        _sync(self.part)
        failpoints.reach("restore_staged")
        self.part.rename(self._decided)
        _sync(self._data)
        failpoints.reach("restore_decided")
        return self.finish()

    def finish(self) -> Path:
        """Go on with what is decided, from wherever it was left.

        Raises:
            OSError: a move failed.
        """
        kept = self._kept()
        for name, place in self._places.items():
            new = self._decided / name
            if not new.exists():
                continue
            self._put_away(place, kept / name)
            failpoints.reach("restore_moved")
            _move(new, place)
            _sync(place.parent)
        failpoints.reach("restore_placed")
        shutil.rmtree(self._decided)
        _sync(self._data)
        return kept

    def _kept(self) -> Path:
        when = "unknown"
        with suppress(OSError):  # the last run was at taking it away
            when = (self._decided / _WHEN).read_text()
        kept = self._data / f"before-restore-{when}"
        kept.mkdir(0o700, exist_ok=True)
        give_to_owner(kept, self._data)
        return kept

    def _put_away(self, place: Path, kept: Path) -> None:
        for suffix in ("", *_BESIDE):
            old, to = place.with_name(place.name + suffix), kept.with_name(kept.name + suffix)
            if old.exists():
                _move(old, to)
        _sync(kept.parent)
        _sync(place.parent)


def _move(path: Path, to: Path) -> None:
    """Rename; where the other place is on another disk, copy first."""
    try:
        path.rename(to)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        part = to.with_name(f"{to.name}.part")
        shutil.copy2(path, part)
        give_to_owner(part, path.parent)
        _sync(part)
        part.rename(to)
        _sync(to.parent)
        path.unlink()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
