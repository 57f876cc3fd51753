"""Who is in a data folder: everybody who has its database open, or the one who puts another in its place. Knows the
lock, and nothing of what is done meanwhile."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import AlreadyRunning, NotYet

NAME = "in-use.lock"
_WAIT_S = 3.0
_LOOK_EVERY_S = 0.05
_held: dict[Path, int] = {}


def enter(data: Path) -> None:
    """Be in a data folder until this process ends.

    Raises:
        NotYet: a backup is being restored there.
        OSError: the folder cannot be used.
    """
    path = data.absolute() / NAME
    if path in _held:
        return
    fd = _open(path)
    if not _lock(fd, fcntl.LOCK_SH):
        os.close(fd)
        raise NotYet(f"A backup is being restored in {data}; try again when that has ended.")
    _held[path] = fd


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Be the only one in a data folder, in which this process has not been before.

    Raises:
        AlreadyRunning: somebody is there.
        OSError: as `enter`.
    """
    fd = _open(data.absolute() / NAME)
    try:
        if not _lock(fd, fcntl.LOCK_EX):
            raise AlreadyRunning(f"Vix is running in {data}: stop API, worker and other commands of it first.")
        yield
    finally:
        os.close(fd)


def give_to_owner(path: Path, folder: Path) -> None:
    """What root has written in somebody's folder becomes his, or his service could not open it."""
    owner, found = folder.stat(), path.lstat()
    # Not where it is his already: a service that runs as root with few rights may not even ask.
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (found.st_uid, found.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _open(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    give_to_owner(path, path.parent)
    return fd


def _lock(fd: int, kind: int) -> bool:
    """Whoever ends or starts holds it for a moment only, so it is tried for a while."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
        time.sleep(_LOOK_EVERY_S)
