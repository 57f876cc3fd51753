"""Asks the warm process that draws single frames, starts it where there is none, and ends it when it does not answer.

Knows Timelines; knows no request, and draws nothing itself.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.errors import PreviewBusy, PreviewFailed, PreviewImpossible
from render.plain import from_plain, to_plain
from render.sandbox import ENVIRONMENT, Child, on_a_thread
from render.still_request import Reply, Request, Setup
from render.timeline import Timeline

# One is drawn, these wait: whoever asks for more has no use for the first.
MOST_WAITING = 3
IDLE_S = 300.0
# A decoder that starts at a key frame some seconds away takes so long on an eighth of a core.
REQUEST_S = 25.0
# The process ends a request that takes longer; this much later it is given up itself.
_PATIENCE = 1.2
_BLOCK = 1 << 20
_MOST_BYTES = 256 << 20
_ROOT = Path(__file__).resolve().parent.parent
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A frame as PNG, and what was drawn otherwise than asked."""

    png: bytes
    warnings: tuple[str, ...]


class Previews:
    """Pictures of films that are not made. `folder` is where they are drawn; several threads may ask."""

    def __init__(
        self, ffmpeg: Callable[[], str], folder: Path, *, idle_s: float = IDLE_S, request_s: float = REQUEST_S
    ) -> None:
        self._ffmpeg = ffmpeg
        self._folder = folder
        self._idle_s = idle_s
        self._request_s = request_s
        self._places = threading.BoundedSemaphore(1 + MOST_WAITING)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._closed = False

    def picture(self, timeline: Timeline, frame: int) -> Drawn:
        """Draw a frame.

        Raises:
            PreviewImpossible: this film cannot be made.
            PreviewBusy, PreviewFailed: it could not be drawn now.
        """
        reply, body = self._ask(Request(timeline, frame))
        return Drawn(body, reply.warnings)

    def spots(self, timeline: Timeline) -> list[dict[str, Any]]:
        """Say where every overlay lies, as `render.spots` does.

        Raises:
            As `picture` does.
        """
        _, body = self._ask(Request(timeline, None))
        found: list[dict[str, Any]] = json.loads(body)
        return found

    @property
    def pid(self) -> int | None:
        """The process that draws, where there is one."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def close(self) -> None:
        """End the process, whatever it does, and start no other."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()  # so that whoever waits for it waits no more
        with self._lock:
            if self._child is not None:
                self._child.end()

    def _ask(self, request: Request) -> tuple[Reply, bytes]:
        line = json.dumps(to_plain(request)).encode() + b"\n"
        with self._turn():
            reply, body = self._answer(line)
        if reply.code:
            _log.warning(
                "A preview could not be drawn.",
                extra={"action": "no_preview", "code": reply.code, "reason": reply.message, "tail": reply.log},
            )
            if reply.permanent:
                raise PreviewImpossible(reply.code, reply.message)
            raise PreviewFailed
        return reply, body

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until it is this thread's turn, which is soon, or not at all."""
        if not self._places.acquire(blocking=False):
            raise PreviewBusy
        try:
            with self._lock:
                yield
        finally:
            self._places.release()

    def _answer(self, line: bytes) -> tuple[Reply, bytes]:
        child = self._running()
        try:
            return self._exchange(child, line)
        except (OSError, ValueError) as exc:
            _log.error("The process that draws previews has died.", exc_info=exc, extra={"action": "preview_died"})
            child.end()
            self._child = None
            raise PreviewFailed from exc

    def _running(self) -> Child:
        """The process that draws. One that has gone while nobody asked is replaced."""
        if self._closed:
            raise PreviewFailed
        if self._child is not None and self._child.poll() is None:
            return self._child
        if self._child is not None:
            self._child.end()
        setup = Setup(self._ffmpeg(), self._folder, os.getpid(), self._request_s, self._idle_s)
        command = [sys.executable, "-m", "render.still_server", json.dumps(to_plain(setup))]
        try:
            self._child = on_a_thread(
                lambda: Child(
                    command,
                    env=ENVIRONMENT,
                    cwd=_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
        except OSError as exc:
            _log.error("The process that draws previews cannot be started.", exc_info=exc, extra={"action": "no_start"})
            raise PreviewFailed from exc
        return self._child

    def _exchange(self, child: Child, line: bytes) -> tuple[Reply, bytes]:
        """Hand a request over and read what comes of it.

        Raises:
            OSError, ValueError: it has died, says nothing for too long, or something else than it should.
        """
        assert child.stdin is not None
        assert child.stdout is not None
        until = time.monotonic() + self._request_s * _PATIENCE
        _put(child.stdin.fileno(), line, until)
        received = bytearray()
        while (end := received.find(b"\n")) < 0:
            received += _some(child.stdout.fileno(), until)
        reply = from_plain(Reply, json.loads(received[:end]))
        while len(received) < end + 1 + min(reply.size, _MOST_BYTES):
            received += _some(child.stdout.fileno(), until)
        return reply, bytes(received[end + 1 :])


def _put(descriptor: int, data: bytes, until: float) -> None:
    """Write as fast as is read: one that is stopped reads nothing."""
    os.set_blocking(descriptor, False)
    left = memoryview(data)
    while left:
        if not select.select([], [descriptor], [], max(0.0, until - time.monotonic()))[1]:
            raise TimeoutError("it does not listen")
        left = left[os.write(descriptor, left) :]


def _some(descriptor: int, until: float) -> bytes:
    if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
        raise TimeoutError("it does not answer")
    if not (data := os.read(descriptor, _BLOCK)):
        raise BrokenPipeError("it has ended")
    return data
