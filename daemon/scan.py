"""`vix library scan`: looks at every clip of the library and says what is usable."""

from __future__ import annotations

import click

from daemon.kinds.base import Sources
from render.errors import MediaError


def scan(sources: Sources) -> None:
    """Print a line for each style, and one for each clip that is skipped."""
    library = sources.library
    for style in library.styles():
        usable, seconds, skipped = 0, 0.0, []
        for clip in library.clips(style):
            try:
                inspection = sources.catalogue.inspection(clip)
                defect = inspection.defect
            except (MediaError, OSError) as exc:
                defect = str(exc)
            if defect:
                skipped.append((clip.name, defect))
            elif inspection.info is not None and inspection.info.video is not None:
                usable += 1
                seconds += float(inspection.info.video.duration_s)
        click.echo(f"{style}: {usable} usable, {seconds:.0f} s of picture, {len(skipped)} skipped")
        for name, defect in skipped:
            click.echo(f"  skipped {name}: {defect}")
    click.echo(f"{len(library.tracks())} tracks, {len(library.logos())} logos")
