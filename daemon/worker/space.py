"""Room on the disk: how much a film needs, whether it is there, and a reserve for writing down that it is not."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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


class Space:
    """Whether there is room for a film in all of `folders`; where there is not, `make_room(bytes)` is asked for it.

    `pause_s` is how long nothing is begun after a film did not fit although it should have.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        least_bytes: int = LEAST_FREE_BYTES,
        make_room: Callable[[int], object] = lambda wanted_bytes: None,
        pause_s: float = 60.0,
    ) -> None:
        self._folders = tuple(folders)
        self._least_bytes = least_bytes
        self._make_room = make_room
        self._pause_s = pause_s
        self._asked_at = -_ASK_EVERY_S
        self._short = False
        self._not_before = 0.0
        self._too_little = 0

    def is_enough(self, work: float) -> bool:
        """Whether a film of this much work may be begun.

        Raises:
            OSError: a folder cannot be asked.
        """
        wanted = needed_bytes(work, self._least_bytes)
        if time.monotonic() < self._not_before:
            wanted = max(wanted, self._too_little + self._least_bytes)
        missing = wanted - free_bytes(*self._folders)
        if missing > 0 and time.monotonic() - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = time.monotonic()
            self._make_room(missing)
            missing = wanted - free_bytes(*self._folders)
        self._tell(missing)
        return missing <= 0

    def ran_out(self) -> None:
        """Take note that a film did not fit: until some time has passed, more must be free than was then."""
        with suppress(OSError):
            self._too_little = free_bytes(*self._folders)
            self._not_before = time.monotonic() + self._pause_s

    def _tell(self, missing: int) -> None:
        if missing > 0 and not self._short:
            _log.error("Jobs wait for room on the disk.", extra={"action": "disk_full", "missing_mb": missing // 2**20})
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
