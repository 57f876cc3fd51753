"""A file that says that the worker lives and what it does: how it is written, and how it is read by whoever asks."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

HEARTBEAT_FILE = "worker.json"
EVERY_S = 5.0
SILENT_AFTER_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastBeat:
    """What the worker wrote about itself, and how many seconds ago."""

    age_s: float
    told: dict[str, Any]

    @property
    def alive(self) -> bool:
        return self.age_s <= SILENT_AFTER_S


def read_heartbeat(path: Path, now: datetime) -> LastBeat | None:
    """Read what `Heartbeat` has written; None where it never did, or where that is damaged."""
    try:
        told = json.loads(path.read_bytes())
        age_s = now.timestamp() - path.stat().st_mtime
    except (OSError, ValueError):
        return None
    return LastBeat(age_s, told if isinstance(told, dict) else {})


class Heartbeat:
    """Rewrites `path`, whole or not at all, every few seconds while entered: pid, started_at, job, and `about`."""

    def __init__(self, path: Path, about: Mapping[str, Any], clock: Callable[[], datetime]) -> None:
        self._path = path
        self._told = {"pid": os.getpid(), "started_at": clock().isoformat(), "job": None, **about}
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def tell(self, job_id: str | None) -> None:
        """Say which job is being made now."""
        self._told["job"] = job_id
        self._write()

    def _beat(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self._write()

    def _write(self) -> None:
        draft = self._path.with_name(self._path.name + ".part")
        try:
            with self._turn:
                draft.write_text(json.dumps(self._told), "ascii")
                draft.replace(self._path)
        except OSError as exc:
            # A full disk must not end the worker; its silence shows.
            _log.warning("The heartbeat could not be written.", extra={"action": "heartbeat", "reason": exc.strerror})
