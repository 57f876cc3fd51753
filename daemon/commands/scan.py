"""`vix library scan`: looks at every clip of the library and says what is usable."""

from __future__ import annotations

import click

from daemon.kinds.base import Sources
from daemon.sources.survey import survey


def scan(sources: Sources) -> None:
    """Print a line for each style, and one for each clip that is skipped."""
    for style in survey(sources.library, sources.catalogue):
        found = f"{style.usable} usable, {style.seconds:.0f} s of picture, {len(style.skipped)} skipped"
        click.echo(f"{style.style}: {found}")
        for name, defect in style.skipped:
            click.echo(f"  skipped {name}: {defect}")
    click.echo(f"{len(sources.library.tracks())} tracks, {len(sources.library.logos())} logos")
