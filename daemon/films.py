"""The folder of finished films: how a file gets in, whole or not at all, and which have no business there any more.

Several machines may share it, so nothing is judged by its age or its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from render.settle import settle

# A film may have been made by an earlier version, which named it by its job alone.
SUFFIXES = ("mp4", "jpg")
_NAME = re.compile(rf"(job_[a-z0-9]{{20}}(?:\.[0-9]+)?)\.(?:{'|'.join(SUFFIXES)})(?:\.part)?")

# A proxy in the service's group may send them, where the folders above let it through.
_MODE = 0o640


class Films:
    """Finished files, each named `<stem>.<suffix>`; a stem is `Job.stem`, so that attempts never meet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, stem: str, suffix: str) -> Path:
        """Where a finished file is, or would be; `suffix` is without a dot."""
        return self.folder / f"{stem}.{suffix}"

    def publish(self, workfile: Path, stem: str) -> Path:
        """Move a finished file here; it survives a power cut once this returns.

        Raises:
            OSError: it cannot be written here; nothing of it is left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        out = self.path(stem, workfile.suffix.removeprefix("."))
        with suppress(OSError):  # not every file system has modes
            workfile.chmod(_MODE)
        settle(workfile, out)
        return out

    def remove(self, stem: str) -> int:
        """Remove every file of a stem; returns the bytes that were freed. A reader that has one open keeps it.

        Raises:
            OSError: one of them cannot be removed; the others may have been.
        """
        return sum(_unlink(path) for path in self._of(stem))

    def size_bytes(self, stem: str) -> int:
        """How much the files of a stem take that can be looked at."""
        size = 0
        for path in self._of(stem):
            with suppress(OSError):
                size += path.stat().st_size
        return size

    def stems(self) -> dict[str, float]:
        """The stems that there are files of, and when the last of each was changed (seconds since 1970)."""
        found: dict[str, float] = {}
        for path, stem in self._files():
            with suppress(OSError):  # one that cannot even be looked at stays
                found[stem] = max(found.get(stem, 0.0), path.stat().st_mtime)
        return found

    def finished_by_name_alone(self) -> set[str]:
        """The ids of jobs whose film is named by the job alone, as earlier versions do."""
        return {stem for path, stem in self._files() if path == self.path(job_of(stem), "mp4")}

    def garbage(
        self, needed: Callable[[Collection[str]], Mapping[str, Collection[str]]], unknown_before: float
    ) -> list[str]:
        """The stems that nobody needs.

        `needed` says which stems the jobs of these ids need: of the film, and of the attempt that is in work. It is
        asked after the folder was read: a file that was there belongs to an attempt that was claimed before. Files of
        jobs that it does not know may be another service's, or this one's with another database: they are kept
        unless last changed before `unknown_before` (seconds since 1970).
        """
        found = self.stems()
        known = needed({job_of(stem) for stem in found})
        return [
            stem
            for stem, changed_at in found.items()
            if (stem not in known[job_of(stem)] if job_of(stem) in known else changed_at < unknown_before)
        ]

    def _of(self, stem: str) -> Iterator[Path]:
        for suffix in SUFFIXES:
            yield self.path(stem, suffix)
            yield self.path(stem, f"{suffix}.part")

    def _files(self) -> Iterator[tuple[Path, str]]:
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                yield path, match.group(1)


def job_of(stem: str) -> str:
    """The id of the job that a stem belongs to."""
    return stem.partition(".")[0]


def _unlink(path: Path) -> int:
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        path.unlink()
        return size
    return 0
