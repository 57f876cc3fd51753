"""What an error means for the job in which it came up: what its owner is told, and whether another try may help."""

from __future__ import annotations

import errno
import logging

from daemon.errors import DiskFull, StoreError
from daemon.jobs import Failure
from daemon.worker.space import NeverFits
from render.errors import FFmpegOutOfMemory, NoSpace, RenderError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_log = logging.getLogger(__name__)


def explain(exc: Exception) -> Failure:
    """Turn an error into what the job's owner is told; the log gets all of it."""
    if tail := getattr(exc, "tail", ""):
        exc.add_note(f"FFmpeg's last lines:\n{tail}")
    _log.error("A job failed.", exc_info=exc, extra={"action": "job_failed"})
    if is_disk_full(exc):
        return Failure(DiskFull.code, DiskFull.message, permanent=False)
    if isinstance(exc, MemoryError):
        return Failure(FFmpegOutOfMemory.code, "There was not enough memory to make the film.", permanent=False)
    if isinstance(exc, RenderError):
        return Failure(exc.code, str(exc), exc.permanent)
    return Failure("internal", "Something went wrong here that is not the request's fault; the log says what.", False)


def too_large(film: NeverFits) -> Failure:
    """What the owner of a job is told whose film fits on no disk of this size."""
    needed_mb, disk_mb = film.needed_bytes // 10**6, film.disk_bytes // 10**6
    _log.error("A film is too large for the disk.", extra={"action": "job_failed", "needed_mb": needed_mb})
    return Failure(
        NoSpace.code,
        f"The film needs about {needed_mb} MB of disk while it is made, and the whole disk has {disk_mb} MB; make it "
        "shorter, smaller or of a lower quality.",
        permanent=True,
    )


def is_disk_full(exc: Exception) -> bool:
    """Whether there was no room to write, for us or for FFmpeg."""
    return isinstance(exc, DiskFull | NoSpace) or (isinstance(exc, OSError) and exc.errno in _FULL)


def is_worth_another_try(exc: Exception) -> bool:
    """Whether the machine was short of something that it may have the next time, or the database was in trouble. The
    try counts all the same."""
    return is_disk_full(exc) or isinstance(exc, MemoryError | FFmpegOutOfMemory | StoreError)
