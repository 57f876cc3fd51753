"""Media from a URL to a file: bounded in bytes and time, whole or not there. Knows nothing of what is in it.

What it is, FFmpeg's sandbox finds out; nothing is unpacked here, and nothing is believed of a Content-Type.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import stamina

from daemon.errors import DiskFull
from daemon.outbound.client import BrokenAnswer, Outbound, TooLarge
from daemon.outbound.sockets import Deadline, TooSlow
from daemon.outbound.urls import Target, parse
from render.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a download may take. `total_s` bounds one try; `least_bytes_s` is the least rate over any `window_s`;
    `keep_free_bytes` of the disk are left alone; `tries` and `first_wait_s` are for what may pass."""

    most_bytes: int
    total_s: float
    least_bytes_s: int = 1_000
    window_s: float = 30.0
    keep_free_bytes: int = 64 * 2**20
    tries: int = 4
    first_wait_s: float = 0.5


def download(
    outbound: Outbound,
    url: str,
    path: Path,
    allowance: Allowance,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Fetch a URL into `path` and return its size in bytes. `path` is there only once it is whole.

    Raises:
        UrlRefused, NotReached, Refused, TooLarge, TooManyRedirects: it is not to be had, after as many tries as make
            sense.
        DiskFull: there is no room for it.
        Cancelled: `cancelled` said so.
    """
    target = parse(url)
    part = path.with_name(path.name + ".part")
    retry = stamina.retry_context(
        on=_may_pass,
        attempts=allowance.tries,
        timeout=None,
        wait_initial=allowance.first_wait_s,
        wait_jitter=allowance.first_wait_s,
    )
    try:
        for attempt in retry:
            with attempt:
                size = _fetch(outbound, target, part, allowance, cancelled)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return size


def _may_pass(exc: Exception) -> bool:
    return getattr(exc, "permanent", True) is False and not isinstance(exc, Cancelled)


def _fetch(outbound: Outbound, target: Target, part: Path, allowance: Allowance, cancelled: Callable[[], bool]) -> int:
    deadline = Deadline(allowance.total_s, allowance.window_s)
    if cancelled():
        raise Cancelled
    with outbound.get(target, deadline) as response, part.open("wb") as file:
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise BrokenAnswer("The server packed what was asked for as it is.")
        announced = response.headers.get("content-length", "")
        _check_room(part, int(announced) if announced.isascii() and announced.isdigit() else 0, allowance)
        meter = _Meter(allowance.least_bytes_s, allowance.window_s)
        for piece in response.iter_raw():
            if cancelled():
                raise Cancelled
            meter.count(len(piece))
            _check_room(part, len(piece), allowance, written=meter.total - len(piece))
            file.write(piece)
        return meter.total


def _check_room(part: Path, more: int, allowance: Allowance, written: int = 0) -> None:
    """Check that so many bytes more are allowed and leave enough of the disk.

    Raises:
        TooLarge, DiskFull: they are not, or do not.
    """
    if written + more > allowance.most_bytes:
        raise TooLarge(allowance.most_bytes)
    if shutil.disk_usage(part.parent).free - more < allowance.keep_free_bytes:
        raise DiskFull


class _Meter:
    """Counts bytes, and says when there are too few of them in a window of time."""

    def __init__(self, least_bytes_s: int, window_s: float) -> None:
        self.total = 0
        self._least = least_bytes_s * window_s
        self._window_s = window_s
        self._since_s = time.monotonic()
        self._at_its_begin = 0

    def count(self, size: int) -> None:
        self.total += size
        now_s = time.monotonic()
        if now_s - self._since_s < self._window_s:
            return
        if self.total - self._at_its_begin < self._least:
            raise TooSlow("It comes too slowly.")
        self._since_s, self._at_its_begin = now_s, self.total
