"""Compiles and renders small films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonts_cache import FontCache
from fonts_cache.fallback import chain
from render.executor import Rendered, render
from render.ffmpeg import FFmpeg
from render.listen import listen
from render.probe import probe
from render.shots import Clip
from render.spec import parse_template
from render.template import compile_template
from render.timeline import Timeline


@dataclass(frozen=True)
class Film:
    """A rendered film and how it came to be."""

    path: Path
    timeline: Timeline
    rendered: Rendered


def compiled(data: dict[str, Any], clips: Sequence[Path], ffmpeg: FFmpeg, **local: Path) -> Timeline:
    """Compile a request with the given clips in their order, `music` and `logo`."""
    fonts = FontCache(Path("/nonexistent"), system=())
    found = []
    for path in clips:
        info = probe(path, ffmpeg)
        assert info.video is not None
        found.append(Clip(info, info.video))
    music = listen(local["music"], ffmpeg) if "music" in local else None

    def font(family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]:
        return chain(fonts, family, weight, italic, text).paths

    return compile_template(parse_template(data), 7, found, music, local.get("logo"), font)


def make(data: dict[str, Any], clips: Sequence[Path], folder: Path, ffmpeg: FFmpeg, **local: Path) -> Film:
    """Compile and render into `folder`."""
    timeline = compiled(data, clips, ffmpeg, **local)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return Film(folder / "film.mp4", timeline, render(timeline, folder / "film.mp4", work, ffmpeg))
