"""`vix library scan`: looks at every clip of the library, listens to every track, and says what is usable."""

from __future__ import annotations

import click

from daemon.kinds.base import Sources
from daemon.sources.survey import survey, survey_tracks


def scan(sources: Sources) -> None:
    """Print a line for each style and track, and one for each clip that is skipped."""
    for style in survey(sources.library, sources.catalogue):
        found = f"{style.usable} usable, {style.seconds:.0f} s of picture, {len(style.skipped)} skipped"
        click.echo(f"{style.style}: {found}")
        for name, defect in style.skipped:
            click.echo(f"  skipped {name}: {defect}")
    tracks = survey_tracks(sources.library, sources.listen)
    for track in tracks:
        heard = f"{track.lufs:.1f} LUFS, {track.seconds:.0f} s"
        click.echo(f"track {track.name}: {track.defect or heard}")
    click.echo(f"{len(tracks)} tracks, {len(sources.library.logos())} logos")
