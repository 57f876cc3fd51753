"""Does what an operator asks of the worker between two films: look at the library, let a skipped clip be picked again.

Errands give way to films: one that takes long is interrupted, and goes on where it was when there is time again.
"""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from daemon.sources.survey import StyleSurvey, SurveyInterrupted, TrackSurvey, survey, survey_tracks
from daemon.store.errands import Errand, ErrandStore
from render.errors import RenderError
from render.listen import Track

SCAN = "scan"
UNSKIP = "unskip"
_log = logging.getLogger(__name__)


class Errands:
    """What a worker can be asked for, on its own library and catalogue. Answers tell which machine's these are."""

    def __init__(
        self, store: ErrandStore, library: Library, catalogue: Catalogue, listen: Callable[[Path], Track]
    ) -> None:
        self._store = store
        self._library = library
        self._catalogue = catalogue
        self._listen = listen
        self._host = socket.gethostname()

    def run_next(self, interrupted: Callable[[], bool]) -> bool:
        """Do the oldest errand; False where there is none, or it was interrupted.

        `interrupted` says that a film waits or the worker is to end; it is asked before each file.

        Raises:
            StoreError: as `ErrandStore` does.
        """
        errand = self._store.next()
        if errand is None:
            return False
        try:
            answer = DOERS[errand.name](self, errand, interrupted) if errand.name in DOERS else _unknown(errand)
        except SurveyInterrupted:
            self._store.put_off(errand)
            return False
        except (RenderError, OSError) as exc:
            answer = {"error": str(exc)}
        except Exception as exc:
            answer = {"error": "Something went wrong; the worker's log says what."}
            told = {"action": "errand_failed", "errand": errand.name}
            _log.error("An errand could not be done.", exc_info=exc, extra=told)
        _log.info("An errand is done.", extra={"action": "errand_done", "errand": errand.name})
        self._store.done(errand, {"host": self._host, **answer})
        return True

    def scan(self, errand: Errand, interrupted: Callable[[], bool]) -> dict[str, Any]:
        """Look at every clip, and listen to every track, that is new or has changed."""
        styles = survey(self._library, self._catalogue, interrupted)
        tracks = survey_tracks(self._library, self._listen, interrupted)
        return {"styles": [_plain(style) for style in styles], "tracks": [_heard(track) for track in tracks]}

    def unskip(self, errand: Errand, interrupted: Callable[[], bool]) -> dict[str, Any]:
        """Let a clip be picked again. The argument is its path inside the library, and has to be on the skip list:
        no other file is ever opened."""
        clips = {clip_name(path, self._library): path for path in self._catalogue.skipped()}
        clip = clips.get(errand.argument)
        if clip is None:
            return {"clip": errand.argument, "error": "There is no skipped clip of this name."}
        defect = self._catalogue.unskip(clip).defect
        return {"clip": errand.argument, "usable": not defect, "reason": defect}


Doer = Callable[[Errands, Errand, Callable[[], bool]], dict[str, Any]]
DOERS: Mapping[str, Doer] = {SCAN: Errands.scan, UNSKIP: Errands.unskip}


def clip_name(path: Path, library: Library) -> str:
    """A clip as operators name it: its path inside the library; empty for one that is elsewhere."""
    return path.relative_to(library.root).as_posix() if path.is_relative_to(library.root) else ""


def _unknown(errand: Errand) -> dict[str, Any]:
    """A newer program may have asked for what this one does not know."""
    return {"error": f"This worker does not know the errand {errand.name}."}


def _plain(style: StyleSurvey) -> dict[str, Any]:
    skipped = [{"clip": name, "reason": reason} for name, reason in style.skipped]
    return {"name": style.style, "usable": style.usable, "seconds": round(style.seconds, 1), "skipped": skipped}


def _heard(track: TrackSurvey) -> dict[str, Any]:
    if track.defect:
        return {"name": track.name, "usable": False, "reason": track.defect}
    lufs = round(track.lufs, 1) if math.isfinite(track.lufs) else None  # silence, for which JSON has no number
    return {"name": track.name, "usable": True, "seconds": round(track.seconds, 1), "loudness_lufs": lufs}
