"""Follows a child to its end: hears it out, feeds it, minds time and cancelling. Knows nothing of what it does."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO

from render.errors import Cancelled, FFmpegFailed, FFmpegTimeout

# How soon a cancelled child is killed; a young one is looked at more often, or a short run would never be seen.
_POLL_S = 0.2
_FIRST_POLL_S = 0.01
_BLOCK = 65_536
# Of what is kept in memory: a listing of a million packets, a thousand small pictures.
_MOST_OUTPUT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that is gone: its exit code (negative: the number of a signal), user and system seconds, and what its
    largest resident set was at most: it may be its parent's, which a child of vfork begins with."""

    code: int
    cpu_s: float
    most_rss_mb: float


@dataclass(slots=True)
class Deadline:
    """A wall-clock limit that starts now, and a question that is asked several times a second."""

    name: str
    wall_s: float
    cancelled: Callable[[], bool]
    _started: float = 0.0

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    def check(self) -> None:
        """Raise Cancelled or FFmpegTimeout where it is time to."""
        if self.cancelled():
            raise Cancelled("the render was cancelled")
        if time.monotonic() - self._started > self.wall_s:
            raise FFmpegTimeout(f"{self.name} did not finish within {self.wall_s:g} s")


class Kept:
    """Both outputs of a child, up to 64 MB each."""

    def __init__(self) -> None:
        self._parts: dict[str, list[bytes]] = {"out": [], "err": []}
        self._sizes = {"out": 0, "err": 0}

    def take(self, stream: str, data: bytes) -> None:
        """Keep a piece of `out` or `err`.

        Raises:
            FFmpegFailed: it is too much.
        """
        self._parts[stream].append(data)
        self._sizes[stream] += len(data)
        if self._sizes[stream] > _MOST_OUTPUT:
            raise FFmpegFailed(f"what it found is larger than {_MOST_OUTPUT // 2**20} MB")

    @property
    def out(self) -> bytes:
        return b"".join(self._parts["out"])

    @property
    def err(self) -> str:
        return b"".join(self._parts["err"]).decode(errors="replace")


def follow(
    child: subprocess.Popen[bytes],
    take: Callable[[str, bytes], object],
    check: Callable[[], None],
    chunks: Iterable[bytes | memoryview] | None = None,
) -> Ended:
    """Read both outputs until they close and wait for the end, writing `chunks` to standard input meanwhile.

    `take(stream, data)` gets what comes from `out` and `err`; `check` is called several times a second. What either
    raises ends this, but not the child: the caller does that.
    """
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("out", child.stdout), ("err", child.stderr)):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, name)
        feeder = _Feeder(child.stdin, chunks) if child.stdin is not None and chunks is not None else None
        if feeder is not None:
            selector.register(feeder.pipe, selectors.EVENT_WRITE, "in")
        pause_s = _FIRST_POLL_S
        while selector.get_map():
            pause_s = min(1.2 * pause_s, _POLL_S)
            for key, _ in selector.select(pause_s):
                if key.data == "in" and feeder is not None:
                    if not feeder.feed():
                        selector.unregister(key.fileobj)
                        feeder.close()
                elif data := os.read(key.fd, _BLOCK):
                    take(key.data, data)
                else:
                    selector.unregister(key.fileobj)
            check()
    return _collect(child, check)


class _Feeder:
    """Writes chunks to a pipe as fast as they are taken, and no faster."""

    def __init__(self, pipe: IO[bytes], chunks: Iterable[bytes | memoryview]) -> None:
        self.pipe = pipe
        self._chunks = iter(chunks)
        self._left = memoryview(b"")
        os.set_blocking(pipe.fileno(), False)

    def feed(self) -> bool:
        """Write what the pipe takes now; False at the end, which is also where the child has closed it."""
        if not self._left:
            try:
                self._left = memoryview(next(self._chunks)).cast("B")
            except StopIteration:
                return False
        try:
            self._left = self._left[os.write(self.pipe.fileno(), self._left) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False  # it ended first; its exit code and last lines say why
        return True

    def close(self) -> None:
        self.pipe.close()


def _collect(child: subprocess.Popen[bytes], check: Callable[[], None]) -> Ended:
    """Wait for a child whose outputs are closed, which is not always its end."""
    pause_s = 0.0005
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return Ended(child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        check()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _POLL_S)
