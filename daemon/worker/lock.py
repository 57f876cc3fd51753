"""One worker a data folder. The lock is an open file that FFmpeg inherits, so it is held until that is gone, too."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from daemon.errors import AlreadyRunning, NotYet

_LOOK_EVERY_S = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WorkerLock:
    """The right to be the worker of a data folder, as a context manager.

    The file tells who holds the lock, as `<pid> <start time>`. A holder that lives is another worker; one that is
    dead has left children behind that still have the file open, and those are given `orphans_s` seconds to end.
    """

    def __init__(self, path: Path, *, orphans_s: float = 10.0) -> None:
        self.path = path
        self._orphans_s = orphans_s
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process has it."""
        return self._fd is not None

    @property
    def fd(self) -> int:
        """What a child has to inherit so that no other worker starts while it runs."""
        if self._fd is None:
            raise ValueError("the lock is not held")
        return self._fd

    def __enter__(self) -> WorkerLock:
        """Take the lock.

        Raises:
            AlreadyRunning: another worker holds it.
            NotYet: what one has left behind holds it, which the kernel may still be ending.
        """
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._wait(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, _identity(os.getpid()).encode(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go, but not for children that still run: closing keeps the lock theirs, unlocking would not."""
        os.close(self.fd)
        self._fd = None

    def _wait(self, fd: int) -> None:
        until = time.monotonic() + self._orphans_s
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            holder = os.pread(fd, 100, 0).decode("ascii", "replace").strip()
            if _lives(holder):
                pid = holder.partition(" ")[0]
                raise AlreadyRunning(
                    f"Another worker (process {pid}) is running in {self.path.parent}; stop that first."
                )
            if time.monotonic() > until:
                raise NotYet(f"Something that an earlier worker started still holds {self.path}; end it first.")
            time.sleep(_LOOK_EVERY_S)


def seat(data: Path, boot_id: Path = _BOOT_ID) -> str:
    """Name the place of a worker: 12 hexadecimal digits of this machine since its start and of this data folder.

    Whoever holds the folder's lock is the only worker of the seat, so that jobs of the same seat are a dead one's. A
    folder that was copied or mounted elsewhere is another seat, and so is that of a machine which is a copy of this
    one down to its name: see `boot_id` in random(4). Jobs from before a restart of the machine wait for a lease.
    """
    real = data.resolve()
    boot = ""
    with suppress(OSError):  # not every container shows it
        boot = boot_id.read_text("ascii").strip()
    facts = (socket.gethostname(), boot, str(real), str(real.stat().st_ino))
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def new_owner(seat: str) -> str:
    """Name one run of one process of a seat: what it claims carries this name."""
    return f"{seat}.{os.getpid()}-{secrets.token_hex(8)}"


def _lives(holder: str) -> bool:
    """Say whether the process that wrote this still runs; its number alone might be somebody else's by now."""
    pid = holder.partition(" ")[0]
    return pid.isdecimal() and _identity(int(pid)) == holder


def _identity(pid: int) -> str:
    """Name a running process by number and start time (field 22 of proc(5) stat); empty where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return "" if state in "ZX" else f"{pid} {fields[18]}"
