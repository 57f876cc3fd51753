"""Room on the disk: how much a film needs, whether it is there, and a reserve for writing down that it is not."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.jobs import FULL_HD_PX
from daemon.limits import LEAST_FREE_BYTES

BALLAST_BYTES = 16 * 2**20
# A second of portrait full HD takes about this much, and as much again while its slices are joined.
_FILM_BYTES_PER_S = 2**19
_COPIES = 2
_ASK_EVERY_S = 30.0
_log = logging.getLogger(__name__)


def needed_bytes(work: float, least_bytes: int = LEAST_FREE_BYTES) -> int:
    """How much must be free before a film is begun. `work` is `daemon.estimate.work`: it grows with length, size and
    quality, as the bytes do."""
    return least_bytes + int(_COPIES * _FILM_BYTES_PER_S * work / FULL_HD_PX)


def free_bytes(*folders: Path) -> int:
    """What this user may still write, on the fullest of the file systems that these folders are on.

    Raises:
        OSError: one of them cannot be asked.
    """
    return min(shutil.disk_usage(folder).free for folder in folders)


def most_bytes(*folders: Path) -> int:
    """What this user could write if nothing else were there, on the smallest of these file systems.

    Raises:
        OSError: one of them cannot be asked.
    """
    return min(usage.used + usage.free for usage in map(shutil.disk_usage, folders))


@dataclass(frozen=True, slots=True)
class NeverFits:
    """A film that needs more than the disk has, however empty it is."""

    needed_bytes: int
    disk_bytes: int


class Space:
    """Whether there is room for a film in `work`, where it is made, and in `films`, where it is kept. Where only the
    file system of `films` is short of it, `make_room(bytes)` is asked for it, which removes films or, if that would not
    be enough, none.

    `pause_s` is how long more must be free after a film did not fit although it should have.
    """

    def __init__(
        self,
        work: Path,
        films: Path,
        *,
        least_bytes: int = LEAST_FREE_BYTES,
        make_room: Callable[[int], object] = lambda wanted_bytes: None,
        pause_s: float = 60.0,
    ) -> None:
        self._folders = (work, films)
        self._films = films
        self._least_bytes = least_bytes
        self._make_room = make_room
        self._pause_s = pause_s
        self._asked_at = -_ASK_EVERY_S
        self._short = False
        self._not_before = 0.0
        self._too_little = 0

    def choose(self, works: Sequence[float]) -> int | None:
        """Say which of these films, given by their work, is to be begun: the first that there is room for. None where
        there is room for none.

        Room is made for each in its turn. So smaller ones pass one that has no room now, and do not keep it from
        getting any: what they take is given back to it as soon as that is enough. One that never fits is chosen, too,
        for somebody has to say so.

        Raises:
            OSError: a folder cannot be asked.
        """
        may_ask = time.monotonic() - self._asked_at >= _ASK_EVERY_S
        for index, work in enumerate(works):
            if self.never_fits(work):
                return index
            missing = self._missing(work, may_ask)
            if index == 0:
                self._tell(missing)
            if missing <= 0:
                return index
        return None

    def never_fits(self, work: float) -> NeverFits | None:
        """Say so of a film that needs more than the disk has.

        Raises:
            OSError: a folder cannot be asked.
        """
        needed, disk = needed_bytes(work, self._least_bytes), most_bytes(*self._folders)
        return NeverFits(needed, disk) if needed > disk else None

    def ran_out(self) -> None:
        """Take note that a film did not fit: until some time has passed, more must be free than was then."""
        with suppress(OSError):
            self._too_little = free_bytes(*self._folders)
            self._not_before = time.monotonic() + self._pause_s

    def _missing(self, work: float, may_ask: bool) -> int:
        wanted = needed_bytes(work, self._least_bytes)
        if time.monotonic() < self._not_before:
            wanted = max(wanted, self._too_little + self._least_bytes)
        missing = wanted - free_bytes(*self._folders)
        if missing > 0 and may_ask and self._is_short_of_films_alone(wanted):
            self._asked_at = time.monotonic()
            self._make_room(missing)
            missing = wanted - free_bytes(*self._folders)
        return missing

    def _is_short_of_films_alone(self, wanted: int) -> bool:
        """Whether removing films frees what is too full."""
        short = [folder for folder in self._folders if free_bytes(folder) < wanted]
        return all(folder.stat().st_dev == self._films.stat().st_dev for folder in short)

    def _tell(self, missing: int) -> None:
        if missing > 0 and not self._short:
            _log.error("A job waits for room on the disk.", extra={"action": "disk_full", "missing_mb": missing >> 20})
        if missing <= 0 and self._short:
            _log.info("There is room on the disk again.", extra={"action": "disk_free"})
        self._short = missing > 0


class Ballast:
    """A file that is there only to be removed: what it held is room to write down that the disk is full."""

    def __init__(self, path: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def load(self) -> bool:
        """Make the file where it is missing and leaves as much again free; whether it is there."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size_bytes:
                return True
            if shutil.disk_usage(self._path.parent).free < 2 * self._size_bytes:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
        except OSError as exc:
            _log.warning("No reserve could be made.", extra={"action": "ballast", "reason": exc.strerror})
            self._path.unlink(missing_ok=True)
            return False
        return True

    def drop(self) -> bool:
        """Remove the file; whether it was there."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        _log.warning("The disk is full; the reserve was given up.", extra={"action": "ballast_dropped"})
        return True
