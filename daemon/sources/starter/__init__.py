"""The starter library: three styles of clips, two music beds and a logo, made once, so that no download is
needed for a first film.

Every file is made by a short-lived child process of its own, so numpy and OpenCV never enter the caller's.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import VixError
from render.ffmpeg import FFmpeg
from render.sandbox import Child

# Where each file goes, and which generator makes it from which seed; the seed also picks the palette.
CLIPS: dict[str, tuple[str, int]] = {
    "styles/light/amber-evening.mp4": ("light", 0),
    "styles/light/neon-rain.mp4": ("light", 4),
    "styles/light/garden-party.mp4": ("light", 2),
    "styles/stars/violet-drift.mp4": ("stars", 3),
    "styles/stars/teal-deep.mp4": ("stars", 16),
    "styles/stars/golden-dust.mp4": ("stars", 11),
    "styles/waves/midnight-silk.mp4": ("waves", 6),
    "styles/waves/rose-satin.mp4": ("waves", 1),
    "styles/waves/jade-velvet.mp4": ("waves", 14),
}
BEDS = {"audio/calm-horizon.m4a": "calm-horizon", "audio/night-drive.m4a": "night-drive"}
LOGO = "logos/logo.png"
FILES = (*CLIPS, *BEDS, LOGO)

_TAIL_LINES = 12
_PROGRESS = "progress "
# A child's share of the whole work, where a clip is 1.
_SHARES = dict.fromkeys(FILES, 1.0) | dict.fromkeys(BEDS, 0.3) | {LOGO: 0.1}


@dataclass(frozen=True, slots=True)
class Size:
    """How large the files are: of clips width and height in px (even) and frames at 60 a second, of music seconds."""

    width: int = 1080
    height: int = 1920
    frames: int = 480
    music_s: float = 68.0


class StarterError(VixError):
    """A file of the starter library cannot be made. `tail` holds the child's last lines: for the log."""

    code = "starter_failed"

    def __init__(self, file: str, tail: str) -> None:
        self.tail = tail
        reason = tail.rpartition("\n")[2]
        super().__init__(f"The starter library's {file} cannot be made: {reason}")


def make(
    root: Path,
    ffmpeg: FFmpeg,
    on_progress: Callable[[float, str], None] | None = None,
    jobs: int = 2,
    *,
    size: Size | None = None,
) -> None:
    """Make what is missing of FILES under `root`, `jobs` files at a time; what exists is left as it is.

    A file is complete or absent, whatever kills this process or its children: only `*.part` may stay, and the next call
    makes it anew. A second caller waits for the first. `on_progress` gets the share of the work done (0 to 1) and the
    file that went on.

    Raises:
        StarterError: a child failed; the other children are stopped first.
    """
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / ".starter.lock"):
        waiting = [file for file in FILES if not (root / file).exists()]
        _Children(root, ffmpeg, size or Size(), waiting, on_progress or (lambda done, file: None)).run(jobs)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


class _Children:
    """Runs one child a file and listens to all of them at once."""

    def __init__(
        self, root: Path, ffmpeg: FFmpeg, size: Size, files: list[str], on_progress: Callable[[float, str], None]
    ) -> None:
        self._root, self._ffmpeg, self._size = root, ffmpeg, size
        self._waiting, self._on_progress = deque(files), on_progress
        self._done = dict.fromkeys(files, 0.0)
        self._tails = {file: deque[str](maxlen=_TAIL_LINES) for file in files}
        self._rests = dict.fromkeys(files, b"")
        self._selector = selectors.DefaultSelector()

    def run(self, jobs: int) -> None:
        running: list[Child] = []
        try:
            for _ in range(min(jobs, len(self._waiting))):
                running.append(self._start())
            while self._selector.get_map():
                for key, _ in self._selector.select():
                    file, child = key.data
                    if not self._hear(file, child):
                        self._selector.unregister(key.fileobj)
                        self._check(file, child)
                        if self._waiting:
                            running.append(self._start())
        finally:
            for child in running:
                child.end()
            self._selector.close()

    def _start(self) -> Child:
        file, size = self._waiting.popleft(), self._size
        numbers = (str(n) for n in (size.width, size.height, size.frames, size.music_s))
        child = Child(
            [sys.executable, "-m", __name__, str(self._root), self._ffmpeg.executable, file, *numbers],
            cwd=Path(__file__).parents[3],  # where the package `daemon` is found
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert child.stdout is not None
        self._selector.register(child.stdout, selectors.EVENT_READ, (file, child))
        return child

    def _hear(self, file: str, child: Child) -> bool:
        """Take what a child says; False at its end."""
        assert child.stdout is not None
        said = os.read(child.stdout.fileno(), 65_536)
        *lines, self._rests[file] = (self._rests[file] + (said or b"\n")).split(b"\n")
        for line in (raw.decode(errors="replace").strip() for raw in lines):
            if line.startswith(_PROGRESS):
                self._advance(file, float(line.removeprefix(_PROGRESS)))
            elif line:
                self._tails[file].append(line)
        return bool(said)

    def _advance(self, file: str, done: float) -> None:
        self._done[file] = done
        whole = sum(_SHARES[name] for name in self._done)
        self._on_progress(sum(_SHARES[name] * part for name, part in self._done.items()) / whole, file)

    def _check(self, file: str, child: Child) -> None:
        if child.wait() != 0:
            raise StarterError(file, "\n".join(self._tails[file]) or f"ended with code {child.returncode}")
