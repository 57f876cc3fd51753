"""What preparing a job has made, kept on this machine so that another try need not choose and look again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from render.timeline import Media, Picture, Text, Timeline, from_json, to_json

if TYPE_CHECKING:
    from daemon.kinds.base import Prepared

VERSION = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedFiles:
    """Prepared jobs in `folder`, one file each. `program` is the version that made them: another compiles anew."""

    folder: Path
    program: str = ""

    def load(self, job_id: str) -> Prepared | None:
        """What was kept; None where there is nothing, or a file that it names has changed or gone since."""
        from daemon.kinds.base import Prepared  # whoever only removes files does without the kinds

        try:
            data = json.loads(self._path(job_id).read_bytes())
            if (data["version"], data["program"]) != (VERSION, self.program):
                return None
            timeline = from_json(data["timeline"])
            if data["files"] != _stamps(timeline):
                return None
            return Prepared(timeline, data["choices"], tuple(data["warnings"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _log.warning("A prepared job cannot be read; it is prepared again.", exc_info=exc, extra=_extra(job_id))
            return None

    def save(self, job_id: str, prepared: Prepared) -> None:
        """Keep it. Where it cannot be written the job is prepared again, should there be another try."""
        path = self._path(job_id)
        part = _part(path)
        try:
            data: dict[str, Any] = {
                "version": VERSION,
                "program": self.program,
                "timeline": to_json(prepared.timeline),
                "choices": prepared.choices,
                "warnings": prepared.warnings,
                "files": _stamps(prepared.timeline),
            }
            self.folder.mkdir(exist_ok=True)
            part.write_text(json.dumps(data))
            part.replace(path)
        except OSError as exc:
            part.unlink(missing_ok=True)
            _log.warning("A prepared job cannot be kept.", extra=_extra(job_id) | {"reason": exc.strerror})

    def drop(self, job_id: str) -> None:
        """Forget it, and what of it was only half written.

        Raises:
            OSError: it cannot be removed.
        """
        path = self._path(job_id)
        path.unlink(missing_ok=True)
        _part(path).unlink(missing_ok=True)

    def ages(self) -> dict[str, float]:
        """The ids of all that is kept, whole or half, and when each was written last (seconds since 1970)."""
        found: dict[str, float] = {}
        for path in self.folder.glob("job_*.json*") if self.folder.is_dir() else ():
            job_id = path.name.partition(".")[0]
            with suppress(OSError):
                found[job_id] = max(found.get(job_id, 0.0), path.stat().st_mtime)
        return found

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _extra(job_id: str) -> dict[str, Any]:
    return {"action": "prepared_lost", "job": job_id}


def _stamps(timeline: Timeline) -> list[list[str | int]]:
    """Every file that a Timeline reads, with size and time of change."""
    stamps: list[list[str | int]] = []
    for path in sorted(set(_files(timeline))):
        stat = path.stat()
        stamps.append([str(path), stat.st_size, stat.st_mtime_ns])
    return stamps


def _files(timeline: Timeline) -> Iterator[Path]:
    for layer in timeline.layers:
        if isinstance(layer.content, Media | Picture):
            yield layer.content.path
        elif isinstance(layer.content, Text):
            yield from layer.content.fonts
    yield from (sound.path for sound in timeline.sounds)
