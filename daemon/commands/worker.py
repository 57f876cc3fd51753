"""`vix worker`: builds the worker with all that runs beside it. Knows the parts, and nothing of what they do."""

from __future__ import annotations

import socket
from collections.abc import Callable

from daemon import __version__
from daemon.commands import wiring
from daemon.deliveries.courier import Courier
from daemon.deliveries.post import Post
from daemon.errands import Errands
from daemon.films import Films
from daemon.jobs import Job, Report
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Outbound
from daemon.pipeline import Order, Tools, make
from daemon.queue import Doorbell
from daemon.retention import EVERY_MIN
from daemon.scheduler import Scheduler
from daemon.settings import Settings
from daemon.store.callbacks import CallbackStore
from daemon.store.database import Database
from daemon.store.errands import ErrandStore
from daemon.store.jobs import JobStore
from daemon.store.workers import WorkerStore
from daemon.worker.lock import WorkerLock, new_owner, seat
from daemon.worker.loop import Outcome, Place, Rules, RunJob, Worker
from daemon.worker.space import Ballast, Space
from render.sandbox import sandbox_report


def run(settings: Settings) -> None:
    """Make films until a signal asks to stop.

    Raises:
        AlreadyRunning: another worker has this data folder.
        StoreError: the database cannot be used.
    """
    with WorkerLock(settings.data / "worker.lock") as lock:
        database = wiring.database(settings)
        database.check()
        _worker(settings, lock, database).run()


def _worker(settings: Settings, lock: WorkerLock, database: Database) -> Worker:
    tools = wiring.tools(settings, wiring.ffmpeg(settings, pass_fds=(lock.fd,)))
    retention = wiring.retention(settings, database)
    space = Space([settings.data, settings.films], make_room=retention.make_room)
    here = seat(settings.data)
    courier = _courier(settings, database, here)
    material = tools.sources(tools.ffmpeg)
    errands = Errands(ErrandStore(database), material.library, material.catalogue)
    return Worker(
        JobStore(database, announce=wiring.announce(settings)),
        WorkerStore(database),
        Doorbell(wiring.queue_target(settings)),
        _run_job(tools, courier),
        Place(here, lock, settings.work, Films(settings.films), space, Ballast(settings.data / "ballast")),
        Rules(stop_s=settings.stop_s, lease_s=settings.lease_s),
        about={
            "version": __version__,
            "host": socket.gethostname(),
            "ffmpeg": tools.ffmpeg.version(),
            "sandbox": sandbox_report(),
        },
        between=errands.run_next,
        beside=[courier, Scheduler({"retention": (EVERY_MIN, retention.prune)})],
    )


def _courier(settings: Settings, database: Database, here: str) -> Courier:
    store, keys = CallbackStore(database), wiring.key_store(settings, database)
    outbound = Outbound(Guard(settings.private_hosts), agent=f"Vix/{__version__}")
    return Courier(store, Post(store, outbound, keys.hook_secrets, new_owner(here)), here)


def _run_job(tools: Tools, courier: Courier) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        try:
            film = make(Order(job.stem, job.kind, job.spec, job.seed, job.id), tools, report, cancelled)
        finally:
            courier.ring()  # its end is written down in a moment, and somebody may want to be told
        return Outcome(film.result, film.warnings, job.stem)

    return run_job
