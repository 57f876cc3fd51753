"""`vix worker`: builds the worker with all that runs beside it. Knows the parts, and nothing of what they do."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from daemon import __version__
from daemon.alerts import EVERY_S as ALERTS_EVERY_S
from daemon.alerts import Alerts
from daemon.callbacks.courier import Courier
from daemon.callbacks.post import Post
from daemon.commands import wiring
from daemon.commit import running_commit
from daemon.deliveries.dispatcher import Dispatcher
from daemon.errands import Errands
from daemon.errors import DatabaseCorrupt, SettingsError
from daemon.films import Films
from daemon.jobs import Job, Report
from daemon.notify import ALIVE, notifier, told
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Outbound
from daemon.pipeline import Order, Tools, make
from daemon.queue import Doorbell
from daemon.retention import EVERY_MIN
from daemon.scheduler import Scheduler
from daemon.settings import Settings, notify_socket
from daemon.store.callbacks import CallbackStore
from daemon.store.database import Database
from daemon.store.deliveries import DeliveryStore
from daemon.store.errands import ErrandStore
from daemon.store.jobs import JobStore
from daemon.store.notices import AlertStore, Notice
from daemon.store.schedules import ScheduleStore
from daemon.store.workers import WorkerStore
from daemon.timetable import EVERY_MIN as SLOTS_EVERY_MIN
from daemon.timetable import LOOK_EVERY_S, Stores, Timetable, log_report
from daemon.worker.lock import WorkerLock, new_owner, seat
from daemon.worker.loop import Outcome, Place, Rules, RunJob, Worker
from daemon.worker.pulse import beats_through
from daemon.worker.space import Ballast, Space
from daemon.worker.ticker import Ticker
from fonts_cache import FontCache, NotFetched
from render.errors import FFmpegError
from render.ffmpeg import FFmpeg
from render.sandbox import sandbox_report

_CHECK_EVERY_S = 86_400.0
_TOKENS_EVERY_MIN = 10  # of looking whether one's day is over
_FONTS_EVERY_S = 900.0
_log = logging.getLogger(__name__)


def run(settings: Settings, pulse_fd: int | None = None) -> None:
    """Make films until a signal asks to stop. `pulse_fd` is the `Pulse.fd` of a parent that watches this process.

    Raises:
        AlreadyRunning: another worker has this data folder.
        NotYet: what a dead one has started still has it.
        SettingsError: FFmpeg is not where it is set to be.
        StoreError: the database cannot be used.
    """
    notify = notifier(notify_socket())
    pulse = beats_through(pulse_fd) if pulse_fd is not None else lambda: notify(ALIVE)
    with WorkerLock(settings.data / "worker.lock") as lock:
        _worker(settings, lock, wiring.database(settings), pulse, told(notify)).run()


def _worker(
    settings: Settings,
    lock: WorkerLock,
    database: Database,
    pulse: Callable[[], None],
    ready: AbstractContextManager[None],
) -> Worker:
    tools = wiring.tools(settings, wiring.ffmpeg(settings, pass_fds=(lock.fd,)))
    if not os.access(tools.ffmpeg.executable, os.X_OK):
        raise SettingsError(f"FFmpeg cannot be started: {tools.ffmpeg.executable} is no program; set FFMPEG.")
    retention = wiring.retention(settings, database)
    space = Space(settings.data, settings.films, make_room=retention.make_room)
    here = seat(settings.data)
    courier = _courier(settings, database, here)
    dispatcher = Dispatcher(wiring.dispatch(settings, database, new_owner(here)), here)
    material = tools.sources(tools.ffmpeg)
    errands = Errands(ErrandStore(database), material.library, material.catalogue, material.listen)
    worker = Worker(
        JobStore(database, announce=wiring.announce(settings)),
        WorkerStore(database),
        Doorbell(wiring.queue_target(settings)),
        _run_job(tools, (courier.ring, dispatcher.ring), wiring.delivery_store(settings, database), settings),
        Place(here, lock, settings.work, Films(settings.films), space, Ballast(settings.data / "ballast")),
        Rules(stop_s=settings.stop_s, lease_s=settings.lease_s),
        about=partial(_about, tools.ffmpeg),
        between=errands.run_next,
        # All that may take long comes here, after the jobs of a dead worker were put back.
        beside=[
            courier,
            dispatcher,
            Scheduler({"tokens": (_TOKENS_EVERY_MIN, wiring.token_watch(settings, database).run)}),
            _alerts(settings, database),
            Scheduler({"retention": (EVERY_MIN, retention.prune)}),
            # On a thread of its own: removing films may take minutes.
            Scheduler({"schedules": (SLOTS_EVERY_MIN, _timetable(settings, database).run_due)}, LOOK_EVERY_S),
            Ticker("fonts", _FONTS_EVERY_S, lambda: _refresh_fonts(material.fonts), at_once=True, join_s=1.0),
            Ticker("check", _CHECK_EVERY_S, lambda: _check(database, worker), at_once=True),
            _filled_library(settings),
            ready,
        ],
        pulse=pulse,
    )
    return worker


def _about(ffmpeg: FFmpeg) -> dict[str, Any]:
    return {
        "version": __version__,
        "commit": running_commit(),
        "host": socket.gethostname(),
        "ffmpeg": _version(ffmpeg) or "unknown",
        "sandbox": sandbox_report(),
    }


def _version(ffmpeg: FFmpeg) -> str:
    """What FFmpeg calls itself; empty where it could not be asked now, which is no reason to make no films."""
    try:
        return ffmpeg.version()
    except FFmpegError as exc:
        _log.error("FFmpeg did not tell its version.", exc_info=exc, extra={"action": "ffmpeg_version"})
        return ""


def _check(database: Database, worker: Worker) -> None:
    """Look for damage, beside the films: of a large file it takes minutes."""
    try:
        database.check()
    except DatabaseCorrupt as exc:
        worker.stop(exc)


def _refresh_fonts(fonts: FontCache) -> None:
    """Keep the list of families young, so that the API can tell a typo without asking anybody."""
    if fonts.google is None:
        return
    try:
        fonts.google.refresh()
    except NotFetched as exc:
        _log.info("The list of fonts could not be fetched.", extra={"action": "no_font_list", "reason": str(exc)})


@contextmanager
def _filled_library(settings: Settings) -> Iterator[None]:
    wiring.fill_library(settings)
    yield


def _courier(settings: Settings, database: Database, here: str) -> Courier:
    store, keys = CallbackStore(database), wiring.key_store(settings, database)
    outbound = Outbound(Guard(settings.private_hosts), agent=f"Vix/{__version__}")
    return Courier(store, Post(store, outbound, keys.hook_secrets, new_owner(here)), here)


def _timetable(settings: Settings, database: Database) -> Timetable:
    stores = Stores(
        ScheduleStore(database),
        JobStore(database),
        wiring.key_store(settings, database),
        wiring.schedule_checks(settings, database),
    )
    ring, alerts = Doorbell(wiring.queue_target(settings)).ring, AlertStore(database)

    def report(subject: str, sentence: str) -> None:
        alerts.add(Notice("schedule.missed", f"Vix: {subject}", sentence), wiring.notices(settings))
        log_report(subject, sentence)

    return Timetable(stores, ring, timedelta(hours=settings.missed_slots_h), report)


def _alerts(settings: Settings, database: Database) -> Ticker:
    urls = wiring.alert_urls(settings)
    alerts = Alerts(AlertStore(database), urls)
    return Ticker("alerts", ALERTS_EVERY_S, alerts.carry if urls else lambda: None, join_s=1.0)


def _run_job(
    tools: Tools, rings: Sequence[Callable[[], None]], deliveries: DeliveryStore, settings: Settings
) -> RunJob:
    def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
        shown = _shown(job, deliveries, settings.no_repeat_posts)
        try:
            film = make(Order(job.stem, job.kind, job.spec, job.seed, job.id, shown), tools, report, cancelled)
        finally:
            for ring in rings:  # its end is written down in a moment, and somebody may want to be told
                ring()
        return Outcome(film.result, film.warnings, job.stem)

    return run_job


def _shown(job: Job, deliveries: DeliveryStore, usual: int) -> tuple[str, ...]:
    """The clips that the latest posts of the pages have shown on which the film will be published."""
    posts: dict[str, int] = {}
    for one in job.deliveries:
        asked = one.spec.get("no_repeat")
        posts[one.account_id] = usual if asked is None else int(asked)
    found: dict[str, None] = {}
    for account_id, count in posts.items():
        if count:
            found.update(dict.fromkeys(deliveries.shown_clips([account_id], count)))
    return tuple(found)
