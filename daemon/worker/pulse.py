"""Whether a worker process still beats, for the parent that may kill it: told through a pipe, not through the database,
which may be full, slow or away while every worker is well."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from daemon.worker.leases import Leases

_MOST_BYTES = 65_536  # a pipe holds as much, see pipe(7)


class Pulse:
    """The parent's end. `fd` is the worker's, to be inherited and given to `beats_through`; `lease_s` is how long a
    worker may be silent. One worker at a time."""

    def __init__(self, lease_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ear, self.fd = os.pipe()
        os.set_blocking(self._ear, False)
        self._leases = Leases(lease_s)
        self._monotonic = monotonic
        self._pid = 0
        self._beats = 0

    def is_gone(self, pid: int) -> bool:
        """Whether the worker in this process has not beaten for a lease: it is stopped or hangs. One that has never
        beaten is still starting. Ask several times a lease."""
        heard = self._listen()
        if pid != self._pid:  # what was heard may be its predecessor's
            self._pid, self._beats = pid, 0
            return False
        self._beats += heard
        name = str(pid)
        return bool(self._leases.look({name} if self._beats else (), {name: self._beats}, self._monotonic()))

    def close(self) -> None:
        """Hear no more."""
        os.close(self._ear)
        os.close(self.fd)

    def _listen(self) -> int:
        with suppress(BlockingIOError):
            return len(os.read(self._ear, _MOST_BYTES))
        return 0


def beats_through(fd: int) -> Callable[[], None]:
    """What a worker calls for each beat to be heard by the `Pulse` whose `fd` it has inherited. It never blocks, and a
    parent that does not listen is none of its business."""
    os.set_blocking(fd, False)

    def beat() -> None:
        with suppress(OSError):
            os.write(fd, b".")

    return beat
