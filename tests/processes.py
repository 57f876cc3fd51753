"""What the kernel says about processes, for tests. Knows nothing of the code under test."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on; empty where the process is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def alive(pid: int) -> bool:
    return bool(stat(pid))


def session(leader: int) -> list[int]:
    """The living processes of a session."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [pid for pid in pids if (fields := stat(pid)) and int(fields[3]) == leader]


def comes(true: Callable[[], object], within_s: float = 20) -> bool:
    """Whether something becomes true in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int, within_s: float = 5) -> bool:
    """Whether a process ends in time."""
    return comes(lambda: not alive(pid), within_s)
