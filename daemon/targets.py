"""What the URL of a database or of a queue names. Pure; opens nothing."""

from __future__ import annotations

from pathlib import Path


def scheme(target: Path | str) -> str:
    """The scheme of a URL in small letters; `sqlite` for a path."""
    if isinstance(target, Path):
        return "sqlite"
    return target.partition(":")[0].lower() if ":" in target else "sqlite"


def sqlite_path(target: Path | str) -> Path:
    """The file that a path, `sqlite:PATH` or `sqlite:///PATH` names. The third slash belongs to the URL, so an absolute
    path comes with four, as SQLAlchemy and peewee have it."""
    if isinstance(target, Path):
        return target
    rest = target.partition(":")[2] if scheme(target) == "sqlite" and ":" in target else target
    return Path(rest.removeprefix("///") if rest.startswith("///") else rest)
