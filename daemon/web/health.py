"""`GET /health`: whether films can be made now. For anybody, so it names no path, no job and no secret."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from daemon.errors import VixError
from daemon.heartbeat import HEARTBEAT_FILE, LastBeat, read_heartbeat
from daemon.limits import LEAST_FREE_BYTES
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.services import Services


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to work, and a sentence about it."""

    ok: bool
    message: str


async def index(call: Call) -> Response:
    """Say what this is and where to look next."""
    return Answer({"service": "vix", "version": call.services.version, "health_url": f"{call.links.base}/health"})


async def health(call: Call) -> Response:
    """Answer 200 if every check is well, else 503."""
    report = await call.blocking(examine, call.services)
    return Answer(report, 200 if report["status"] == "ok" else 503)


def examine(services: Services) -> dict[str, Any]:
    """Run all checks. None of them raises, starts a program or waits for the network."""
    worker = read_heartbeat(services.data / HEARTBEAT_FILE, services.now())
    checks = {name: check(services, worker) for name, check in CHECKS.items()}
    well = all(check.ok for check in checks.values())
    rendering = int(bool(worker and worker.alive and worker.told.get("job")))
    return {
        "status": "ok" if well else "failing",
        "version": services.version,
        "commit": services.commit,
        "checks": {name: {"ok": check.ok, "message": check.message} for name, check in checks.items()},
        "queue": {"queued": _waiting(services), "rendering": rendering},
        "workers": {"active": int(bool(worker and worker.alive)), "max_concurrent_jobs": 1},
    }


def _waiting(services: Services) -> int | None:
    try:
        return services.jobs.waiting()
    except VixError:
        return None


def _database(services: Services, worker: LastBeat | None) -> Check:
    try:
        services.jobs.waiting()
    except VixError as exc:
        return Check(False, str(exc))
    return Check(True, "answers")


def _disk(services: Services, worker: LastBeat | None) -> Check:
    try:
        free = shutil.disk_usage(services.data).free
    except OSError as exc:
        return Check(False, f"the data folder cannot be read: {exc.strerror}")
    return Check(free >= LEAST_FREE_BYTES, f"{free // 2**20} MB free, {LEAST_FREE_BYTES // 2**20} MB are needed")


def _worker(services: Services, worker: LastBeat | None) -> Check:
    if worker is None:
        return Check(False, "has never run; start it with ./vix worker")
    if not worker.alive:
        return Check(False, f"silent for {worker.age_s:.0f} s; start it again with ./vix worker")
    return Check(True, "alive")


def _ffmpeg(services: Services, worker: LastBeat | None) -> Check:
    version = worker and worker.told.get("ffmpeg")
    return Check(True, f"version {version}") if version else Check(False, "the worker has not found one yet")


def _fonts(services: Services, worker: LastBeat | None) -> Check:
    known = len(services.fonts.families())
    return Check(known > 0, f"{known} names known")


CHECKS: dict[str, Callable[[Services, LastBeat | None], Check]] = {
    "database": _database,
    "disk": _disk,
    "ffmpeg": _ffmpeg,
    "worker": _worker,
    "fonts": _fonts,
}
