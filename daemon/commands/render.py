"""`vix render`: one request file to one film, without a server."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from daemon.commands.terminal import ProgressLine
from daemon.films import Films
from daemon.kinds import KINDS
from daemon.kinds.base import Prepared
from daemon.pipeline import Order, Tools, make
from render.errors import FieldProblem, SpecError
from render.timeline import to_json


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """What was asked for on the command line. `seed` of None takes the request's own, or 0."""

    body: bytes
    seed: int | None
    out: Path | None
    timeline: bool
    dry_run: bool


def run(request: RenderRequest, tools: Tools) -> None:
    """Check, compile, print what is asked for, and render unless it is a dry run.

    Raises:
        SpecError, RenderError: as the service would answer.
    """
    data = _parsed(request.body)
    kind = KINDS["template"]
    sources = tools.sources(tools.ffmpeg)
    spec = kind.read(data, sources.library, sources.fonts)
    seed = request.seed if request.seed is not None else (spec.seed or 0)
    if request.timeline or request.dry_run:
        _show(kind.prepare(data, seed, sources), request.timeline)
    if request.out is not None and not request.dry_run:
        _make(data, seed, request.out, tools, request.timeline)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise SpecError([FieldProblem("(body)", f"is not JSON: {exc}", "string")]) from None
    if not isinstance(data, dict):
        raise SpecError([FieldProblem("(body)", "must be an object", "unknown")])
    return data


def _show(prepared: Prepared, timeline: bool) -> None:
    if timeline:
        click.echo(to_json(prepared.timeline))
        return
    click.echo(json.dumps({"duration_s": float(prepared.timeline.duration_s), **prepared.choices}, indent=2))
    for warning in prepared.warnings:
        click.echo(f"warning: {warning}", err=True)


def _folder_beside(out: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".vix-", dir=out.parent)
    except OSError as exc:
        raise click.ClickException(f"{out} cannot be written: {exc.strerror}") from exc


def _make(data: dict[str, Any], seed: int, out: Path, tools: Tools, quiet: bool) -> None:
    """Render beside the target, so that the finished film only needs a new name."""
    out = out.absolute()
    with _folder_beside(out) as folder:
        here = replace(tools, films=Films(Path(folder)), work=Path(folder))
        with ProgressLine("Rendering:") as line:

            def report(stage: str, percent: int) -> bool:
                line.show(percent / 100, stage)
                return True

            film = make(Order("film", "template", data, seed), here, report, lambda: False)
        shutil.move(Path(folder) / "film.mp4", out)
    for warning in film.warnings:
        click.echo(f"warning: {warning}", err=True)
    # Where a Timeline is on standard output already, the result must not follow it there.
    click.echo(json.dumps(film.result, indent=2), err=quiet)
