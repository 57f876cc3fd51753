"""Gives a finished file its name, in such a way that it survives a power cut and is never seen half."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def settle(part: Path, out: Path) -> None:
    """Make a complete file appear as `out`, whole or not at all; `part` is gone afterwards.

    Its data reach the disk first, then the folder's entry. Where `out` is on another file system, the file is copied to
    `<out>.part` beside it before; that name is free again whatever happens.

    Raises:
        OSError: there is no space, for one. `part` is still there then.
    """
    _sync(part)
    try:
        part.replace(out)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        _copy(part, out)
        part.unlink()
    _sync(out.parent)


def _copy(part: Path, out: Path) -> None:
    beside = out.with_name(out.name + ".part")
    try:
        shutil.copy(part, beside)
        _sync(beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
