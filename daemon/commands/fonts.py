"""`vix fonts`: fetches families by name, lists what is there, removes what was not used for long."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from daemon.commands import wiring
from daemon.errors import BadName, VixError
from fonts_cache import NotFetched

_FACE = re.compile(r"(?P<family>[^:]{1,80})(:(?P<weight>[1-9]00)?(?P<italic>i?))?")


class NoFont(VixError):
    """A font that is not to be had."""

    code = "no_font"


@click.group()
def fonts() -> None:
    """Fonts by the names of Google Fonts."""


@fonts.command()
@click.argument("faces", nargs=-1, required=True, metavar="FACE...")
def get(faces: tuple[str, ...]) -> None:
    """Fetch faces such as "Inter", "Inter:700" or "Inter:700i" now, so that no film waits for them."""
    cache = wiring.fonts(wiring.ready_settings(), may_fetch=True)
    if cache.google is None:
        raise NoFont("VIX_FONTS_ONLINE is false, so nothing is fetched.")
    for face in faces:
        family, weight, italic = _parsed(face)
        try:
            path = cache.google.face(family, weight, italic, now=True)
        except NotFetched as exc:
            near = cache.suggest(family)
            hint = f" Did you mean {' or '.join(near)}?" if exc.permanent and near else ""
            raise NoFont(f"{face}: {exc}.{hint}") from exc
        click.echo(f"{face}: {path}")


@fonts.command("list")
@click.argument("text", default="")
def list_(text: str) -> None:
    """List the families that lie here, and the fetched faces with their last use; TEXT is part of a name."""
    cache = wiring.fonts(wiring.ready_settings(), may_fetch=False)
    kept = cache.google.kept() if cache.google else []
    fetched = {one.path for one in kept}
    by_family: dict[str, list[str]] = {}
    for face in cache.faces():
        if face.path not in fetched:
            by_family.setdefault(face.family, []).append(f"{face.weight}{'i' if face.italic else ''}")
    for family, styles in sorted(by_family.items()):
        if text.casefold() in family.casefold():
            click.echo(f"{family}: {', '.join(sorted(set(styles)))}")
    for one in sorted(kept, key=lambda one: (one.family, one.variant)):
        if text.casefold() in one.family.casefold():
            used = datetime.fromtimestamp(one.used_s, UTC)
            licence = f", {one.licence[:60]}" if one.licence else ""
            click.echo(f"{one.family}: {one.variant}, fetched, {one.size // 1024} kB, used {used:%Y-%m-%d}{licence}")


@fonts.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--most-mb", type=click.IntRange(0), help="MB that may stay, instead of VIX_FONTS_MB.")
def prune_fonts(dry_run: bool, most_mb: int | None) -> None:
    """Remove fetched faces that were not used for longest, until the rest is small enough."""
    cache = wiring.fonts(wiring.ready_settings(), may_fetch=False)
    most_bytes = None if most_mb is None else most_mb * 2**20
    gone = cache.google.prune(most_bytes, dry_run=dry_run) if cache.google else []
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{verb}: {len(gone)} faces ({sum(one.size for one in gone) / 2**20:.1f} MB)")


def _parsed(face: str) -> tuple[str, int, bool]:
    parts = _FACE.fullmatch(face.strip())
    if parts is None:
        raise BadName(
            f'{face}: write a family, and a weight from 100 to 900 behind a colon: "Inter:700", "Inter:700i".'
        )
    return parts["family"].strip(), int(parts["weight"] or 400), bool(parts["italic"])
