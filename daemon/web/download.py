"""`GET /v1/download/{job_id}.mp4|.jpg`: the finished files, whole or in ranges."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Scope

from daemon.errors import JobGone, JobNotReady, LinkExpired, UnknownJob, VixError
from daemon.jobs import Job
from daemon.web.call import Call

_NAME = re.compile(r"(job_[a-z0-9]{20})\.(mp4|jpg)")
_MEDIA_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg"}
_RANGE = r"[ \t]*(?:\d{1,15}-\d{0,15}|-\d{1,15})[ \t]*"
_RANGES = re.compile(f"bytes={_RANGE}(?:,{_RANGE})*")


class RangeNotSatisfiable(VixError):
    """The file ends before the first byte that was asked for."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        self.headers = {"Content-Range": f"bytes */{size_bytes}"}
        super().__init__(f"The file has {size_bytes} bytes, and the Range header asks for none of them.")


async def download(call: Call) -> Response:
    """Answer with a film or its thumbnail."""
    match = _NAME.fullmatch(call.request.path_params["name"])
    if match is None:
        raise UnknownJob
    job_id, suffix = match.groups()
    job, path, file_stat = await call.blocking(_find, call, job_id, suffix)
    etag = _etag(job, suffix)
    headers = {"cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    headers |= {"etag": etag} if etag else {}
    if etag and _is_known(etag, call.request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if call.services.accel_redirect and call.services.access.trusted_proxies.has(call.request.scope):
        return _by_proxy(call.services.accel_redirect + path.name, f"{job_id}.{suffix}", headers)
    _tame_range(call.request.scope, file_stat.st_size, etag)
    return FileResponse(
        path,
        headers=headers,
        media_type=_MEDIA_TYPES[suffix],
        filename=f"{job_id}.{suffix}",
        stat_result=file_stat,
    )


def _by_proxy(location: str, name: str, headers: dict[str, str]) -> Response:
    """Let Nginx send the file, also a range of it: see X-Accel-Redirect in the documentation of its proxy module."""
    headers |= {"x-accel-redirect": location, "content-disposition": f'attachment; filename="{name}"'}
    return Response(headers=headers, media_type=_MEDIA_TYPES[name.rpartition(".")[2]])


def _find(call: Call, job_id: str, suffix: str) -> tuple[Job, Path, os.stat_result]:
    """Look the job and its file up.

    Raises:
        UnknownJob, JobNotReady, JobGone: as their names say.
        LinkExpired: it is asked for by a link, and the job's key opens nothing any more.
    """
    job = call.services.jobs.get(job_id, call.reads_jobs_of)
    if call.by_link and not call.services.keys.get(job.key_id).is_open(call.services.now()):
        raise LinkExpired("The key that this was made with opens nothing any more, and neither do links to it.")
    if job.result is None:
        raise JobNotReady(job.status)
    if job.film is None:
        raise JobGone
    path = call.services.films / f"{job.film}.{suffix}"
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise JobGone from None
    if not stat.S_ISREG(found.st_mode):
        raise JobGone
    return job, path, found


def _etag(job: Job, suffix: str) -> str:
    """Name the content by the film's hash: a finished film never changes, and its thumbnail is made with it."""
    digest = (job.result or {}).get("sha256")
    return f'"{digest}-{suffix}"' if digest else ""


def _is_known(etag: str, if_none_match: str) -> bool:
    known = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return etag in known or "*" in known


def _tame_range(scope: Scope, size_bytes: int, etag: str) -> None:
    """Leave only ranges in the request that the file has; a header that is malformed or meant for another file goes.

    RFC 9110, sections 13.1.5, 14.2 and 15.5.17.

    Raises:
        RangeNotSatisfiable: none of the ranges lies inside the file.
    """
    asked = [value.decode("latin-1") for name, value in scope["headers"] if name == b"range"]
    if_range = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-range"]
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
    if len(asked) != 1 or not _RANGES.fullmatch(asked[0].lower()) or (if_range and if_range != [etag]):
        return
    parts = [part.strip().split("-") for part in asked[0].partition("=")[2].split(",")]
    if any(first and last and int(last) < int(first) for first, last in parts):
        return
    inside = [f"{first}-{last}" for first, last in parts if (int(first) < size_bytes if first else int(last) > 0)]
    if not inside or not size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    scope["headers"].append((b"range", f"bytes={','.join(inside)}".encode()))
