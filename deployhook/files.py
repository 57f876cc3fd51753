"""Writes small files so that a reader, a crash or a power cut finds the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from deployhook.errors import StateUnwritable


def replace(path: Path, text: str) -> None:
    """Write a file, and return once it is on the disk.

    Raises:
        StateUnwritable: it could not be written; the old one is there still.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        with contextlib.suppress(OSError):
            part.unlink()
        raise StateUnwritable(f"The folder of deploys cannot be written: {exc.strerror}.") from exc
