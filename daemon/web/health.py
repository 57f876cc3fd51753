"""`GET /health`: whether films can be made now. For anybody, so it names no path, no job, no page and no secret.

What needs a person but keeps no film from being made (a token that ends) is a warning: deploys and uptime checks go by
the status code, and no new release helps there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from daemon.accounts.life import WARN_DAYS, Account, AccountState
from daemon.deliveries.life import State
from daemon.errors import VixError
from daemon.limits import LEAST_FREE_BYTES
from daemon.store.workers import WorkerSeen
from daemon.web.answers import Answer
from daemon.web.call import Call
from daemon.web.services import Services

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
Workers = list[WorkerSeen]
# So long after it was due, a callback may wait for others to the same receiver; but then those are tried.
_CALLBACKS_STAND_STILL = timedelta(minutes=5)


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
    return Answer(report, 503 if report["status"] == FAILING else 200)


def examine(services: Services) -> dict[str, Any]:
    """Run all checks. None of them raises, starts a program or waits for the network."""
    seen = _seen(services)
    alive = [worker for worker in seen if worker.is_alive(services.now())]
    checks = {name: check(services, seen) for name, check in CHECKS.items()}
    warnings = _warnings(services)
    return {
        "status": FAILING if not all(check.ok for check in checks.values()) else DEGRADED if warnings else OK,
        "version": services.version,
        "commit": services.commit,
        "checks": {name: {"ok": check.ok, "message": check.message} for name, check in checks.items()},
        "queue": {"queued": _waiting(services), "rendering": sum(worker.job_id is not None for worker in alive)},
        "warnings": warnings,
        "workers": {"active": len(alive), "max_concurrent_jobs": len(alive), "commits": _commits(alive)},
    }


def _seen(services: Services) -> Workers:
    """The workers that have a row, the one heard of last first."""
    try:
        return sorted(services.workers.all(), key=lambda worker: worker.seen_at, reverse=True)
    except VixError:
        return []


def _commits(workers: Workers) -> list[str]:
    """What living workers run: a deploy is through only when the new one is among them."""
    return sorted({str(worker.about["commit"]) for worker in workers if worker.about.get("commit")})


def _waiting(services: Services) -> int | None:
    try:
        return services.views.waiting()
    except VixError:
        return None


def _database(services: Services, workers: Workers) -> Check:
    try:
        services.views.waiting()
    except VixError as exc:
        return Check(False, str(exc))
    return Check(True, "answers")


def _disk(services: Services, workers: Workers) -> Check:
    try:
        free = shutil.disk_usage(services.data).free
    except OSError as exc:
        return Check(False, f"the data folder cannot be read: {exc.strerror}")
    return Check(free >= LEAST_FREE_BYTES, f"{free // 2**20} MB free, {LEAST_FREE_BYTES // 2**20} MB are needed")


def _worker(services: Services, workers: Workers) -> Check:
    if not workers:
        return Check(False, "none runs; start it with ./vix worker")
    if not workers[0].is_alive(services.now()):
        silent_s = workers[0].silent_s(services.now())
        since = f"for {silent_s:.0f} s" if silent_s else "since before the clock was put back"
        return Check(False, f"silent {since}; start it again with ./vix worker")
    if _callbacks_stand_still(services, workers[0]):
        return Check(False, "alive, but callbacks are not carried; start it again with ./vix worker")
    return Check(True, "alive")


def _callbacks_stand_still(services: Services, worker: WorkerSeen) -> bool:
    since = services.now() - _CALLBACKS_STAND_STILL
    try:
        return worker.started_at < since and services.callbacks.stands_still(since)
    except VixError:
        return False  # the check of the database tells


def _ffmpeg(services: Services, workers: Workers) -> Check:
    version = workers[0].about.get("ffmpeg") if workers else None
    if not version:
        return Check(False, "the worker has not found one yet")
    sandbox = workers[0].about.get("sandbox") or {}
    jail = f"Landlock version {sandbox['landlock']}" if sandbox.get("landlock") else "no Landlock in this kernel"
    return Check(True, f"version {version}, {jail}")


def _fonts(services: Services, workers: Workers) -> Check:
    known, google = len(services.fonts.families()), services.fonts.google
    if google is None:
        return Check(known > 0, f"{known} names known, none is fetched")
    families, age_s = len(google.families()), google.age_s()
    seen = f"{families} of Google Fonts, a list of {age_s / 3600:.0f} h ago" if age_s is not None else "no others yet"
    return Check(known > 0, f"{known} names known, {seen}")


def _tokens(services: Services, workers: Workers) -> Check:
    try:
        accounts = services.accounts.list()
    except VixError as exc:
        return Check(False, str(exc))
    if not accounts:
        return Check(True, "no account is connected")
    dead = sum(account.state is not AccountState.OK for account in accounts)
    left = _first_end(services, accounts)
    end = "none of which ends" if left is None else f"the first ends in {left:g} days"
    return Check(True, f"{_accounts(len(accounts))}, " + (f"{dead} of which cannot be used" if dead else end))


def _first_end(services: Services, accounts: Sequence[Account]) -> float | None:
    """Days until the first token ends of those that are good."""
    good = [account for account in accounts if account.state is AccountState.OK]
    return min((left for one in good if (left := one.days_left(services.now())) is not None), default=None)


def _accounts(count: int) -> str:
    return f"{count} account" + "s" * (count != 1)


def _warnings(services: Services) -> list[str]:
    """Sentences about what keeps no film from being made, and needs somebody all the same."""
    try:
        accounts = services.accounts.list()
        unknown = services.deliveries.count(State.UNKNOWN)
    except VixError:
        return []  # the check of the database tells
    found = []
    if dead := sum(account.state is not AccountState.OK for account in accounts):
        found.append(f"{_accounts(dead)} cannot be published on; connect again what /accounts or ./vix accounts names")
    if (left := _first_end(services, accounts)) is not None and left <= max(WARN_DAYS):
        found.append(f"a token ends in {left:g} days; connect again what /accounts or ./vix accounts names")
    if unknown:
        films = f"{unknown} deliver" + ("ies are" if unknown > 1 else "y is")
        found.append(f"{films} unknown: look whether they are published, and say so with ./vix deliveries resolve")
    return found


CHECKS: dict[str, Callable[[Services, Workers], Check]] = {
    "database": _database,
    "disk": _disk,
    "ffmpeg": _ffmpeg,
    "worker": _worker,
    "fonts": _fonts,
    "tokens": _tokens,
}
