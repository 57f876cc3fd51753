"""`vix library scan`: looks at every clip of the library, listens to every track, and says what is usable."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.kinds.base import Sources
from daemon.sources.survey import survey
from render.errors import MediaError
from render.loudness import integrated_lufs


def scan(sources: Sources) -> None:
    """Print a line for each style and track, and one for each clip that is skipped."""
    for style in survey(sources.library, sources.catalogue):
        found = f"{style.usable} usable, {style.seconds:.0f} s of picture, {len(style.skipped)} skipped"
        click.echo(f"{style.style}: {found}")
        for name, defect in style.skipped:
            click.echo(f"  skipped {name}: {defect}")
    for path in sources.library.tracks().values():
        click.echo(f"track {path.name}: {_heard(path, sources)}")
    click.echo(f"{len(sources.library.tracks())} tracks, {len(sources.library.logos())} logos")


def _heard(path: Path, sources: Sources) -> str:
    try:
        track = sources.listen(path)
    except (MediaError, OSError) as exc:
        return f"cannot be used: {exc}"
    length_s = f"{float(track.end_s - track.start_s):.0f} s" if track.end_s is not None else "longer than any film"
    return f"{integrated_lufs(track.blocks_lufs):.1f} LUFS, {length_s}"
