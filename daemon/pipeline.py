"""One job from top to bottom: prepare, render, thumbnail. Knows neither Huey nor Starlette nor the jobs table."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.jobs import Report
from daemon.kinds import KINDS
from daemon.kinds.base import Prepared, Sources
from render.errors import Cancelled, ClipEndedEarly, RenderError
from render.executor import Options, Rendered, render
from render.ffmpeg import FFmpeg
from render.inspect import make_thumbnail

# Progress of a whole job, in percent: preparing takes none worth showing, checking and the thumbnail the last few.
_RENDERED = 97

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What films are made with, and the folders they are made in."""

    ffmpeg: FFmpeg
    sources: Sources
    options: Options
    films: Path
    work: Path


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: a request of a kind, the seed of its choices, and the name of the file."""

    name: str
    kind: str
    spec: dict[str, Any]
    seed: int


@dataclass(frozen=True, slots=True)
class Film:
    """A finished film: what the job's result says of it, and warnings."""

    result: dict[str, Any]
    warnings: tuple[str, ...]


def make(order: Order, tools: Tools, report: Report, cancelled: Callable[[], bool]) -> Film:
    """Make the film of an order: `films/<name>.mp4` and `.jpg`. Each appears complete or not at all.

    `report(stage, percent)` answers whether the order is still this caller's to make.

    Raises:
        RenderError: as prepare and render do; Cancelled also when `report` said no.
    """
    started = time.monotonic()
    work = tools.work / order.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tools.films.mkdir(parents=True, exist_ok=True)
    mine = _Mine(report)
    try:
        mine.at("prepare", 0)
        prepared = KINDS[order.kind].prepare(order.spec, order.seed, tools.sources)
        if mine.lost or cancelled():
            raise Cancelled("the job was stopped before its film was begun")
        film = tools.films / f"{order.name}.mp4"
        rendered = _render(prepared, film, work, tools, mine, cancelled)
        mine.at("thumbnail", _RENDERED)
        warnings = prepared.warnings + rendered.warnings + _thumbnail(film, tools.ffmpeg)
        return Film(_result(order, prepared, rendered, film, time.monotonic() - started), warnings)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Mine:
    """Reports progress and remembers whether the order was taken away."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._percent = -1
        self._told = 0.0
        self.lost = False

    def at(self, stage: str, percent: int) -> None:
        """Report a stage or a step of one percent, and at least that the job lives once a second."""
        now = time.monotonic()
        if percent != self._percent or now - self._told >= 1:
            self._percent, self._told = percent, now
            self.lost = not self._report(stage, percent)


def _render(
    prepared: Prepared, film: Path, work: Path, tools: Tools, mine: _Mine, cancelled: Callable[[], bool]
) -> Rendered:
    try:
        return render(
            prepared.timeline,
            film,
            work,
            tools.ffmpeg,
            tools.options,
            on_progress=lambda share: mine.at("render", int(share * _RENDERED)),
            cancelled=lambda: mine.lost or cancelled(),
        )
    except ClipEndedEarly as exc:
        tools.sources.catalogue.skip(exc.path, "it ended before its time while a film was made")
        raise


def _thumbnail(film: Path, ffmpeg: FFmpeg) -> tuple[str, ...]:
    """Make the thumbnail. A finished film is not thrown away for want of one."""
    try:
        make_thumbnail(film, film.with_suffix(".jpg"), ffmpeg)
    except RenderError as exc:
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
        "bytes": film.stat().st_size,
        "sha256": digest,
        "seed": order.seed,
        **prepared.choices,
        "render_s": round(render_s, 2),
        "cpu_s": round(rendered.cpu_s, 2),
        "peak_rss_mb": round(rendered.peak_rss_mb),
    }
