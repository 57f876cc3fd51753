"""What every kind of film is handed and hands back. Knows no kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from fonts_cache import FontCache
from render.listen import Track
from render.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Sources:
    """Where films take their material from. `shown` are clips, as `style/name`, that a page's latest posts have shown,
    the last first: others are taken before them."""

    library: Library
    catalogue: Catalogue
    fonts: FontCache
    listen: Callable[[Path], Track]
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A film that is ready to be rendered, with the choices that were made, as the job's result lists them."""

    timeline: Timeline
    choices: dict[str, Any]
    warnings: tuple[str, ...]
