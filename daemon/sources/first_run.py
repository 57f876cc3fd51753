"""Fills an empty library with the starter clips, once, so that the first film needs no download."""

from __future__ import annotations

from collections.abc import Callable

from daemon.sources import starter
from daemon.sources.library import Library
from render.ffmpeg import FFmpeg

# Stands in the library from before the first file is made until after the last one.
_UNFINISHED = ".starter-unfinished"


def fill_if_empty(library: Library, ffmpeg: FFmpeg, on_progress: Callable[[float, str], None]) -> bool:
    """Make the starter library where there is not one clip, or where making it was interrupted; says whether it did.

    Raises:
        RenderError, OSError: a file could not be made.
    """
    if not _is_needed(library):
        return False
    library.root.mkdir(parents=True, exist_ok=True)
    mark = library.root / _UNFINISHED
    mark.touch()
    starter.make(library.root, ffmpeg, on_progress)
    mark.unlink(missing_ok=True)
    return True


def _is_needed(library: Library) -> bool:
    return (library.root / _UNFINISHED).exists() or not library.styles()
