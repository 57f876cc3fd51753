"""A library of small real clips and what templates are made with, for tests of the kind and the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon.kinds.base import Sources
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from fonts_cache import FontCache
from render.ffmpeg import FFmpeg
from render.inspect import Inspection
from render.listen import listen
from render.probe import probe
from tests import media


def looked_at(ffmpeg: FFmpeg) -> Callable[[Path], Inspection]:
    """Probe a clip, and take it for good unless its name says otherwise: looking costs a process each."""

    def inspect(path: Path) -> Inspection:
        return Inspection(probe(path, ffmpeg), (0.5, 0.5), "it is bad" if path.name.startswith("bad") else "")

    return inspect


def sources(root: Path, ffmpeg: FFmpeg, inspect: Callable[[Path], Inspection] | None = None) -> Sources:
    """Everything on a library at `root`, with a catalogue beside it."""
    catalogue = Catalogue(root.parent / "catalogue.json", inspect or looked_at(ffmpeg))
    fonts = FontCache(root.parent / "fonts", system=())
    heard = partial(catalogue.track, listen=lambda path: listen(path, ffmpeg))
    return Sources(Library(root), catalogue, fonts, heard)


def make_library(root: Path) -> Path:
    """Two styles, one of which has a bad clip; a third that has nothing else; a track, a mute file and a logo."""
    for name, seconds in {"rain/a": 2, "rain/b": 2, "rain/bad": 2, "snow/c": 3, "gone/bad": 2}.items():
        path = root / "styles" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        media.clip(path, size="128x128", seconds=seconds, rate="60")
    (root / "audio").mkdir()
    media.tone(root / "audio" / "calm.wav", seconds=1)
    (root / "logos").mkdir()
    media.run("-f", "lavfi", "-i", "color=c=red:s=20x20", "-frames:v", "1", str(root / "logos" / "logo.png"))
    return root
