"""Files that several processes share: written in one step, one writer at a time, and notes of what failed when."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What is not whole yet, and never will be where its writer was killed.
PART = ".part-"
_LOOK_EVERY_S = 0.05


class Occupied(Exception):
    """Another process has the lock for longer than is waited."""


def write_whole(path: Path, data: bytes, at_s: float) -> None:
    """Write a file that is there completely or not at all, as of a time.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=PART, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.utime(part, (at_s, at_s))
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


@contextmanager
def locked(path: Path, patience_s: float) -> Iterator[None]:
    """Hold a lock among processes and threads. It goes with its holder, however that ends.

    Raises:
        Occupied: somebody else has it for longer than that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Occupied(f"another process has been at {path.stem} for too long") from None
                time.sleep(_LOOK_EVERY_S)
        yield


class Pauses:
    """Remembers by files in a folder what failed, so that no process asks again too soon."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock

    def reason(self, name: str, pause_s: float) -> str | None:
        """Why not to ask for something yet; None where enough time has passed, or it did not fail."""
        path = self._folder / name
        try:
            age_s = self._clock() - path.stat().st_mtime
            # One from the future was written before the clock was put back.
            return path.read_text("utf-8", "replace") if 0 <= age_s < pause_s else None
        except OSError:
            return None

    def begin(self, name: str, reason: str) -> None:
        """Note that something has failed now."""
        with suppress(OSError):
            write_whole(self._folder / name, reason.encode("utf-8", "replace"), self._clock())

    def end(self, name: str) -> None:
        """Forget it: it works."""
        (self._folder / name).unlink(missing_ok=True)
