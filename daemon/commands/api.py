"""`vix api`: builds the web side and serves it. Knows the parts, and nothing of what they answer."""

from __future__ import annotations

import errno
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from socket import socket
from typing import Any

import click

from daemon import __version__
from daemon.commands import wiring
from daemon.commands.connector import LazyConnector
from daemon.commit import running_commit
from daemon.errors import NotYet, SettingsError
from daemon.notify import ALIVE, READY, STOPPING, Notify, notifier
from daemon.outbound.addresses import Guard
from daemon.previews import Previews
from daemon.queue import Doorbell
from daemon.settings import Settings, notify_socket
from daemon.signals import hang_up_stops
from daemon.signing import LinkSigner
from daemon.sources.catalogue import only_known
from daemon.sources.library import Library
from daemon.store.audit import AuditStore
from daemon.store.callbacks import CallbackStore
from daemon.store.database import Database
from daemon.store.errands import ErrandStore
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.notices import AlertStore
from daemon.store.schedules import ScheduleStore
from daemon.store.vault import VaultStore
from daemon.store.views import JobViews
from daemon.store.workers import WorkerStore
from daemon.web.access import access_rules
from daemon.web.app import create_app
from daemon.web.listeners import listener, unix_listener
from daemon.web.server import WebServer
from daemon.web.services import Services


def run(settings: Settings) -> None:
    """Serve until a signal asks to stop.

    Raises:
        SettingsError: the address cannot be listened on.
        NotYet: this machine does not have the address, as while its network starts.
        StoreError: the database cannot be used.
    """
    hang_up_stops()
    services = _services(settings, wiring.database(settings))
    try:
        _serve(services, _listener(settings), notifier(notify_socket()))
    finally:
        services.previews.close()


def _serve(services: Services, listening: socket, notify: Notify) -> None:
    """Serve until SIGTERM or SIGINT, and say how it goes."""

    def ready(url: str) -> None:
        click.echo(f"Vix listens on {url}")
        notify(READY)

    try:
        WebServer(create_app(services), listening, ready, beat=lambda: notify(ALIVE)).run()
    finally:
        notify(STOPPING)


def _listener(settings: Settings) -> socket:
    if settings.socket is not None:
        try:
            return unix_listener(settings.socket)
        except OSError as exc:
            raise SettingsError(
                f"cannot listen on {settings.socket}: {exc.strerror}. Set VIX_SOCKET to a free name in a folder that "
                "you may write to."
            ) from exc
    try:
        return listener(settings.host, settings.port)
    except OSError as exc:
        if exc.errno == errno.EADDRNOTAVAIL:
            raise NotYet(f"cannot listen on {settings.host}: this machine does not have the address.") from exc
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}. Set VIX_PORT to another port."
        ) from exc


def _services(settings: Settings, database: Database) -> Services:
    retention = wiring.retention(settings, database)

    def prune(is_dry: bool) -> dict[str, Any]:
        return asdict(retention.prune(is_dry))

    return Services(
        jobs=JobStore(database, announce=wiring.announce(settings)),
        views=JobViews(database),
        events=EventStore(database),
        callbacks=CallbackStore(database),
        deliveries=wiring.delivery_store(settings, database),
        accounts=wiring.account_store(settings, database),
        alerts=AlertStore(database),
        connector=LazyConnector(
            partial(wiring.facebook_accounts, settings, database),
            partial(wiring.token_watch, settings, database),
            VaultStore(database).drop,
        ),
        keys=wiring.key_store(settings, database),
        workers=WorkerStore(database),
        audit=AuditStore(database),
        errands=ErrandStore(database),
        schedules=ScheduleStore(database),
        signer=LinkSigner(wiring.pepper(settings)),
        library=Library(settings.library_folder),
        catalogue=only_known(settings.catalogue),
        publishing=wiring.publishing(settings, database),
        fonts=wiring.fonts(settings, may_fetch=False),
        previews=Previews(lambda: wiring.ffmpeg(settings).executable, settings.data / "preview"),
        ring=Doorbell(wiring.queue_target(settings)).ring,
        check_url=Guard(settings.private_hosts).check_url,
        prune=prune,
        data=settings.data,
        films=settings.films,
        accel_redirect=settings.accel_redirect,
        access=access_rules(settings.master_key.get_secret_value(), settings.admin_allow, settings.trusted_proxies),
        settings=settings.redacted(),
        public_url=str(settings.public_url).rstrip("/") if settings.public_url else None,
        signed_for=timedelta(hours=settings.link_h),
        version=__version__,
        commit=running_commit(),
    )
