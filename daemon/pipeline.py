"""One job from top to bottom: prepare, render, thumbnail. Knows neither Huey nor Starlette nor the jobs table."""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.failpoints import reach
from daemon.films import Films
from daemon.jobs import Report
from daemon.kinds import KINDS
from daemon.kinds.base import Prepared, Sources
from daemon.prepared import PreparedFiles
from render.errors import Cancelled, ClipEndedEarly, RenderError
from render.executor import Options, Rendered, render
from render.ffmpeg import FFmpeg
from render.inspect import make_thumbnail
from render.smooth import lacks_frames
from render.timeline import Timeline
from render.verify import Loudness

# Progress of a whole job, in percent: preparing takes none worth showing, checking and the thumbnail the last few.
_RENDERED = 97

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What films are made with, and the folders they are made in. `sources` gives material that is looked at with the
    FFmpeg it is handed; `prepared` keeps what preparing has made for another try, where there may be one."""

    ffmpeg: FFmpeg
    sources: Callable[[FFmpeg], Sources]
    options: Options
    films: Films
    work: Path
    prepared: PreparedFiles | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: a request of a kind and the seed of its choices. `stem` is the name of the files, `job_id`
    the one that all tries at it share; `shown` are clips to take only after others, as in `Sources`."""

    stem: str
    kind: str
    spec: dict[str, Any]
    seed: int
    job_id: str = ""
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Film:
    """A finished film: what the job's result says of it, and warnings."""

    result: dict[str, Any]
    warnings: tuple[str, ...]


def make(order: Order, tools: Tools, report: Report, cancelled: Callable[[], bool]) -> Film:
    """Make the film of an order: `<stem>.mp4` and `.jpg` among the films. Each appears complete or not at all, and
    nothing of either is left where an error is raised.

    `report(stage, percent)` answers whether the order is still this caller's to make; `cancelled` is asked several
    times a second.

    Raises:
        RenderError: as prepare and render do; Cancelled also when `report` said no.
        OSError: the disk is full, for one.
    """
    work = tools.work / order.stem
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    mine = _Mine(report, cancelled)
    try:
        return _make(order, replace(tools, ffmpeg=tools.ffmpeg.watched(mine.is_over), work=work), mine)
    except BaseException:
        tools.films.remove(order.stem)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make(order: Order, tools: Tools, mine: _Mine) -> Film:
    started = time.monotonic()
    mine.at("prepare", 0)
    prepared = _prepared(order, tools)
    reach("prepare_done")
    if mine.is_over():
        raise Cancelled("the job was stopped before its film was begun")
    rendered = _render(order, prepared, tools, mine)
    reach("film_made")
    film = tools.films.publish(tools.work / "film.mp4", order.stem)
    reach("film_published")
    mine.at("thumbnail", _RENDERED)
    warnings = prepared.warnings + rendered.warnings + _thumbnail(film, prepared.timeline, order, tools)
    reach("thumbnail_made")
    result = _result(order, prepared, rendered, film, time.monotonic() - started)
    _forget(order, tools)
    return Film(result, warnings)


class _Mine:
    """Reports progress and remembers whether the order was taken away."""

    def __init__(self, report: Report, cancelled: Callable[[], bool]) -> None:
        self._report = report
        self._cancelled = cancelled
        self._percent = -1
        self._told = 0.0
        self._lost = False

    def is_over(self) -> bool:
        """Whether to stop: the order was taken away, or whoever gave it says so."""
        return self._lost or self._cancelled()

    def at(self, stage: str, percent: int) -> None:
        """Report a stage or a step of one percent, and at least that the job lives once a second."""
        now = time.monotonic()
        if percent != self._percent or now - self._told >= 1:
            self._percent, self._told = percent, now
            self._lost = not self._report(stage, percent)


def _prepared(order: Order, tools: Tools) -> Prepared:
    """What an earlier try has prepared, or else a new choice, kept for a later one."""
    if tools.prepared is None:
        return _newly_prepared(order, tools)
    if (known := tools.prepared.load(order.job_id)) is not None:
        _log.info("An earlier try has prepared this film.", extra={"action": "prepared_again", "film": order.stem})
        return known
    prepared = _newly_prepared(order, tools)
    tools.prepared.save(order.job_id, prepared)
    return prepared


def _newly_prepared(order: Order, tools: Tools) -> Prepared:
    sources = replace(tools.sources(tools.ffmpeg), shown=order.shown)
    return KINDS[order.kind].prepare(order.spec, order.seed, sources)


def _forget(order: Order, tools: Tools) -> None:
    if tools.prepared is not None:
        tools.prepared.drop(order.job_id)


def _render(order: Order, prepared: Prepared, tools: Tools, mine: _Mine) -> Rendered:
    def on_progress(share: float) -> None:
        if share > 0:
            reach("render_begun")
        if share >= 0.5:
            reach("render_half")
        mine.at("render", int(share * _RENDERED))

    try:
        return render(
            prepared.timeline,
            tools.work / "film.mp4",
            tools.work,
            tools.ffmpeg,
            tools.options,
            on_progress=on_progress,
        )
    except RenderError as exc:
        if exc.permanent:  # the same choice would end the same way
            _forget(order, tools)
        if isinstance(exc, ClipEndedEarly):
            tools.sources(tools.ffmpeg).catalogue.skip(exc.path, "it ended before its time while a film was made")
        raise


def _thumbnail(film: Path, timeline: Timeline, order: Order, tools: Tools) -> tuple[str, ...]:
    """Make the thumbnail. A finished film is not thrown away for want of one."""
    picture = tools.work / "film.jpg"
    try:
        make_thumbnail(film, timeline, picture, tools.ffmpeg)
        tools.films.publish(picture, order.stem)
    except Cancelled:
        raise
    except (RenderError, OSError) as exc:
        _log.warning("A film has no thumbnail.", exc_info=exc, extra={"action": "thumbnail_failed", "film": film.name})
        return ("no thumbnail could be made",)
    return ()


def _result(order: Order, prepared: Prepared, rendered: Rendered, film: Path, render_s: float) -> dict[str, Any]:
    timeline = prepared.timeline
    with film.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "duration_s": float(timeline.duration_s),
        "width": timeline.width,
        "height": timeline.height,
        "fps": float(timeline.rate),
        "quality": timeline.quality,
        "smooth": "flow" if any(lacks_frames(layer, timeline.rate) for layer in timeline.layers) else "blend",
        "bytes": film.stat().st_size,
        "sha256": digest,
        "seed": order.seed,
        **prepared.choices,
        **_loudness(rendered.loudness),
        "render_s": round(render_s, 2),
        "cpu_s": round(rendered.cpu_s, 2),
        "peak_rss_mb": round(rendered.peak_rss_mb),
    }


def _loudness(heard: Loudness) -> dict[str, float | None]:
    """As the result says it; null is silence, for which there is no number in JSON."""
    measured = {"loudness_lufs": heard.lufs, "true_peak_dbtp": heard.true_peak_dbtp}
    return {name: round(value, 1) if math.isfinite(value) else None for name, value in measured.items()}
