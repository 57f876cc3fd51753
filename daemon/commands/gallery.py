"""`vix gallery`: what can be made, as one sheet of pictures. Each is a frame of a film by the film's own steps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from daemon.commands.terminal import ProgressLine
from daemon.kinds import KINDS
from daemon.kinds.base import Sources
from render.contact_sheet import Card, lay_out
from render.ffmpeg import FFmpeg
from render.seconds import frame_at
from render.still import still

_COLUMNS, _WIDTH_PX = 6, 270
_FILM_S = 8
_PLATES = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Plate:
    """One picture of the gallery: its name, the request, and the second that shows it best."""

    name: str
    at: Fraction
    spec: dict[str, Any]


def plates() -> tuple[Plate, ...]:
    """All of them, as `gallery.json` lists them. They ask for the styles of the starter library."""
    listed = json.loads(_PLATES.read_text("utf-8"))
    return tuple(Plate(one["name"], Fraction(str(one["at"])), one["spec"]) for one in listed)


def run(out: Path, sources: Sources, ffmpeg: FFmpeg, chosen: Sequence[Plate]) -> None:
    """Draw the chosen plates and write the sheet `gallery.jpg` into the folder `out`.

    Raises:
        SpecError: the library does not hold the starter library's styles.
        RenderError, OSError: a picture cannot be drawn, the sheet cannot be written.
    """
    with ProgressLine("Drawing:") as line:
        cards = []
        for number, plate in enumerate(chosen):
            line.show(number / len(chosen), plate.name)
            cards.append(_card(plate, number, sources, ffmpeg))
    sheet = out / "gallery.jpg"
    lay_out(cards, _COLUMNS, _WIDTH_PX, sources.fonts.path("Arial"), sheet)
    click.echo(str(sheet))


def _card(plate: Plate, seed: int, sources: Sources, ffmpeg: FFmpeg) -> Card:
    video = {"duration": _FILM_S} | plate.spec["video"]
    prepared = KINDS["template"].prepare(plate.spec | {"video": video, "audio": {"audio": "none"}}, seed, sources)
    for warning in prepared.warnings:
        click.echo(f"{plate.name}: {warning}", err=True)
    with tempfile.TemporaryDirectory() as folder:
        made = still(prepared.timeline, frame_at(prepared.timeline, plate.at), Path(folder), ffmpeg)
    return Card(made.png, plate.name)
