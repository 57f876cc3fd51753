"""Grounds of single frames that were decoded before, in a folder: whoever moves a text looks at one second many times.

A clip that has changed since is another one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from render.plain import to_plain
from render.slices import Slice
from render.timeline import Timeline

_MOST_BYTES = 96 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known in `folder`; what was used longest ago goes where it is too much. For one process at a time."""

    folder: Path

    def path(self, part: Slice, timeline: Timeline, kind: str) -> Path:
        """Where the last frame of a part lies, if it does, as `kind` says."""
        layers = [layer for layer in (part.ground, part.coming) if layer is not None]
        said = [
            to_plain(part),
            [timeline.width, timeline.height, to_plain(timeline.rate), kind],
            [_stamp(path) for layer in layers for path in _files(layer.content)],
        ]
        return self.folder / hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]

    def use(self, path: Path) -> bool:
        """Whether it is there; then it counts as used."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    def read(self, path: Path) -> bytes:
        """What lies there; nothing where it does not."""
        return path.read_bytes() if self.use(path) else b""

    def unfinished(self, path: Path) -> Path:
        """Where to write what becomes `path` when it is kept."""
        return path.with_suffix(".part")

    def write(self, path: Path, data: bytes) -> None:
        """Put it there."""
        self.unfinished(path).write_bytes(data)
        self.keep(self.unfinished(path))

    def keep(self, finished: Path) -> None:
        """Give a file that was written to its end its name."""
        path = finished.with_suffix("")
        finished.replace(path)
        total = 0
        for one in sorted(self.folder.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True):
            total += one.stat().st_size
            if total > _MOST_BYTES and one != path:
                one.unlink()


def _files(content: object) -> Iterator[Path]:
    for field in fields(content):  # type: ignore[arg-type]
        if isinstance(value := getattr(content, field.name), Path):
            yield value


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
