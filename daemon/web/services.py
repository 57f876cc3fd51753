"""What the web side needs from the rest of the house, handed in by whoever wires it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.sources.library import Library
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from fonts_cache import FontCache


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that handlers use.

    `ring` wakes the worker for a job id and never raises; `films` is the folder of finished files and `data` the one
    that all changing files are under; `public_url` is what clients reach the service at, where that is known.
    """

    jobs: JobStore
    keys: KeyStore
    library: Library
    fonts: FontCache
    ring: Callable[[str], None]
    data: Path
    films: Path
    public_url: str | None = None
    version: str = ""
    commit: str = ""
    now: Callable[[], datetime] = _now
