"""Looks at every clip of a library, listens to every track, and counts what is usable. Knows neither who asks nor how
it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import UnknownName
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from render.errors import MediaError
from render.listen import Track
from render.loudness import BLOCK_S, integrated_lufs


@dataclass(frozen=True, slots=True)
class StyleSurvey:
    """What one style holds: usable clips, their seconds of picture, and the names of the others with the reason."""

    style: str
    usable: int
    seconds: float
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TrackSurvey:
    """What a track is: its loudness (minus infinity: silence) and seconds, as far as a film can be long; or why it
    cannot be used."""

    name: str
    lufs: float
    seconds: float
    defect: str = ""


class SurveyInterrupted(Exception):
    """There is something better to do; what was looked at so far is in the catalogue."""


def _never() -> bool:
    return False


def survey(library: Library, catalogue: Catalogue, interrupted: Callable[[], bool] = _never) -> list[StyleSurvey]:
    """Look at every clip that is new or has changed.

    Raises:
        SurveyInterrupted: as soon as `interrupted` says so; it is asked before each clip.
        FFmpegError: a look could not be had now.
    """
    return [_style(name, library, catalogue, interrupted) for name in library.styles()]


def survey_tracks(
    library: Library, listen: Callable[[Path], Track], interrupted: Callable[[], bool] = _never
) -> list[TrackSurvey]:
    """Listen to every track that is new or has changed. Raises as `survey` does."""
    found = []
    for path in library.tracks().values():
        if interrupted():
            raise SurveyInterrupted
        found.append(_track(path, listen))
    return found


def _track(path: Path, listen: Callable[[Path], Track]) -> TrackSurvey:
    try:
        track = listen(path)
    except (MediaError, OSError) as exc:
        return TrackSurvey(path.name, 0.0, 0.0, str(exc))
    seconds = float(len(track.blocks_lufs) * BLOCK_S if track.end_s is None else track.end_s - track.start_s)
    return TrackSurvey(path.name, integrated_lufs(track.blocks_lufs), seconds)


def _style(name: str, library: Library, catalogue: Catalogue, interrupted: Callable[[], bool]) -> StyleSurvey:
    usable, seconds = 0, 0.0
    skipped: list[tuple[str, str]] = []
    try:
        clips = library.clips(name)
    except UnknownName:  # emptied meanwhile
        clips = []
    for clip in clips:
        if interrupted():
            raise SurveyInterrupted
        try:
            inspection = catalogue.inspection(clip)
        except (MediaError, OSError) as exc:
            skipped.append((clip.name, str(exc)))
            continue
        if inspection.defect:
            skipped.append((clip.name, inspection.defect))
        elif inspection.info is not None and inspection.info.video is not None:
            usable += 1
            seconds += float(inspection.info.video.duration_s)
    return StyleSurvey(name, usable, seconds, tuple(skipped))
