"""Builds the parts of the service from Settings, for the commands. Knows everybody; only the commands know it."""

from __future__ import annotations

import errno
import os
import pwd
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon import __version__, failpoints, logs
from daemon.commands import places
from daemon.commit import running_commit
from daemon.errors import SettingsError, UrlRefused
from daemon.settings import Settings, load, misspelt

if TYPE_CHECKING:
    from daemon.accounts.facebook import FacebookAccounts
    from daemon.accounts.watch import TokenWatch
    from daemon.deliveries.dispatch import Dispatch
    from daemon.facebook.graph import Graph
    from daemon.jobs import Job
    from daemon.kinds.base import Sources
    from daemon.pipeline import Tools
    from daemon.prepared import PreparedFiles
    from daemon.publishing import Publishing
    from daemon.retention import Retention
    from daemon.schedules import Checks
    from daemon.store.accounts import AccountStore
    from daemon.store.callbacks import NewCallback
    from daemon.store.database import Database
    from daemon.store.deliveries import DeliveryStore
    from daemon.store.keys import KeyStore
    from daemon.store.notices import Notices
    from daemon.vault import Vault
    from fonts_cache import FontCache
    from render.ffmpeg import FFmpeg

# Imports stand inside the functions: the API must not load what only the worker needs, and `--help` loads neither.

# Films give way to the API and to whatever else the machine is for.
_NICENESS = 10


def ready_settings(library: Path | None = None, *, as_owner: bool = True) -> Settings:
    """Read the settings of a command that works in the data folder, which is there afterwards; root works on as its
    owner, unless it is not `as_owner`.

    Raises:
        SettingsError: something is set wrongly, or the data folder cannot be written.
    """
    settings = load()
    configure_logs(settings)
    failpoints.arm(settings.fail_at)
    for sentence in misspelt():
        click.echo(f"vix: {sentence}", err=True)
    try:
        settings.data.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise places.unwritable(settings.data, exc.strerror) from exc
    if as_owner:
        _be_the_owner(settings.data)
    if not os.access(settings.data, os.W_OK | os.X_OK):
        raise places.unwritable(settings.data, os.strerror(errno.EACCES))
    return settings.model_copy(update={"library": library.absolute()}) if library else settings


def _be_the_owner(folder: Path) -> None:
    """Go on as the owner of the data folder where root has typed a command: files of root's in it would be closed to
    the service. Root without that right, as in a deploy, goes on as it is, and SQLite gives its files to their owner.

    Raises:
        SettingsError: its owner may not read this program.
    """
    if os.geteuid() != 0 or (owner := folder.stat()).st_uid == 0:
        return
    name = _name_of(owner.st_uid)
    try:
        os.setgroups(os.getgrouplist(name, owner.st_gid) if name else [])
    except PermissionError:
        return
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    for needed in (__file__, os.__file__):  # much is only imported later
        if not os.access(needed, os.R_OK):
            who = name or owner.st_uid
            raise SettingsError(f"{folder} belongs to {who}, who may not read {Path(needed).parent}, which it takes.")


def _name_of(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return ""


def configure_logs(settings: Settings) -> None:
    """Write logs as the settings say, and never what the settings keep secret."""
    logs.configure(settings.log_level, settings.log_format, settings.secrets())


def command(name: str) -> list[str]:
    """The command line that runs another command of ours as a process."""
    return [sys.executable, "-P", "-m", "daemon", name]


def queue_target(settings: Settings) -> str | Path:
    """Where the doorbell hangs."""
    return settings.queue.get_secret_value() or settings.data / "queue.db"


def database(settings: Settings) -> Database:
    """Open the database, bringing it up to date.

    Raises:
        NotYet: a backup is being restored.
        StoreError: it cannot be used.
    """
    from daemon.store.database import open_database

    places.be_present(settings)
    return open_database(places.database_target(settings))


def key_store(settings: Settings, opened: Database | None = None) -> KeyStore:
    """Open the table of keys."""
    from daemon.store.keys import KeyStore

    return KeyStore(opened or database(settings), pepper(settings), settings.limits)


def pepper(settings: Settings) -> bytes:
    """Read the secret of this installation."""
    from daemon.store.keys import load_pepper

    given = settings.secret.get_secret_value()
    return bytes.fromhex(given) if given else load_pepper(settings.data / "secret")


def announce(settings: Settings) -> Callable[[Job], Sequence[NewCallback]]:
    """Say which callbacks the end of a job makes.

    Raises:
        SettingsError: the operator's URL is none, or the secret of this installation cannot be read.
    """
    from daemon.announce import announcer
    from daemon.links import Signing
    from daemon.outbound.urls import parse
    from daemon.signing import LinkSigner

    url = settings.callback_url.get_secret_value()
    try:
        if url:
            parse(url)
    except UrlRefused as exc:
        raise SettingsError(f"VIX_CALLBACK_URL: {exc}") from exc
    signer, signed_for = LinkSigner(pepper(settings)), timedelta(hours=settings.link_h)
    return announcer(url, lambda at: Signing(signer, at + signed_for))


def notices(settings: Settings) -> Notices:
    """Say how operators are told what is not the end of a job."""
    from daemon.store.notices import Notices

    return Notices(settings.callback_url.get_secret_value(), bool(alert_urls(settings)))


def alert_urls(settings: Settings) -> list[str]:
    """The operator's own channels."""
    from daemon.alerts import split_urls

    return split_urls(settings.alert_urls.get_secret_value())


def publishing(settings: Settings, opened: Database) -> Publishing:
    """Build what reads where films are published."""
    from daemon.publishing import Publishing
    from daemon.store.accounts import AccountStore

    keys = key_store(settings, opened)
    return Publishing(AccountStore(opened).list, lambda key_id: keys.get(key_id).publish)


def account_store(settings: Settings, opened: Database) -> AccountStore:
    """Open the table of accounts."""
    from daemon.store.accounts import AccountStore

    return AccountStore(opened, notices=notices(settings))


def vault(settings: Settings, opened: Database) -> Vault:
    """Open the vault, with the keys that are set or those of the data folder."""
    from daemon.store.vault import VaultStore
    from daemon.vault import KeyFile, Vault, split_keys

    given = split_keys(settings.vault_key.get_secret_value())
    return Vault(VaultStore(opened), (lambda: given) if given else KeyFile(places.vault_key_file(settings)).read)


def facebook_accounts(settings: Settings, opened: Database) -> FacebookAccounts:
    """Build what connects Facebook pages."""
    from daemon.accounts.facebook import FacebookAccounts

    return FacebookAccounts(account_store(settings, opened), vault(settings, opened), lambda: graph(settings))


def graph(settings: Settings) -> Graph:
    """What Facebook is called with."""
    from daemon.facebook.graph import Graph

    return Graph(settings.facebook_url, agent=f"Vix/{__version__}")


def token_watch(settings: Settings, opened: Database) -> TokenWatch:
    """Build what looks after tokens."""
    from daemon.accounts.facebook import KIND
    from daemon.accounts.watch import TokenWatch
    from daemon.store.vault import VaultStore

    lookers = {KIND: facebook_accounts(settings, opened)}
    return TokenWatch(account_store(settings, opened), VaultStore(opened), lookers)


def delivery_store(settings: Settings, opened: Database) -> DeliveryStore:
    """Open the outbox of deliveries."""
    from daemon.store.deliveries import DeliveryStore

    return DeliveryStore(opened, announce=announce(settings), notices=notices(settings))


def dispatch(settings: Settings, opened: Database, owner: str) -> Dispatch:
    """Build what publishes."""
    from daemon.deliveries.dispatch import Dispatch
    from daemon.deliveries.facebook import Facebook
    from daemon.films import Films

    return Dispatch(
        delivery_store(settings, opened),
        account_store(settings, opened),
        {"facebook": Facebook(lambda: graph(settings))},
        Films(settings.films),
        vault(settings, opened).get,
        token_watch(settings, opened).refused,
        owner,
    )


def prepared_files(settings: Settings) -> PreparedFiles:
    """Open the folder of what preparing has made for another try."""
    from daemon.prepared import PreparedFiles

    return PreparedFiles(settings.data / "prepared", f"{__version__} {running_commit()}")


def retention(settings: Settings, opened: Database) -> Retention:
    """Build what removes what has been kept long enough."""
    from daemon.films import Films
    from daemon.retention import Retention
    from daemon.store.audit import AuditStore
    from daemon.store.callbacks import CallbackStore
    from daemon.store.errands import ErrandStore
    from daemon.store.notices import AlertStore
    from daemon.store.retention import RetentionStore
    from daemon.store.schedules import ScheduleStore
    from daemon.store.workers import WorkerStore

    return Retention(
        RetentionStore(opened),
        Films(settings.films),
        prepared_files(settings),
        keep_films=timedelta(hours=settings.keep_films_h),
        keep_jobs=timedelta(hours=settings.keep_jobs_h),
        also=tuple(
            table(opened).forget
            for table in (AlertStore, AuditStore, CallbackStore, ErrandStore, ScheduleStore, WorkerStore)
        ),
    )


def ffmpeg(settings: Settings, pass_fds: tuple[int, ...] = ()) -> FFmpeg:
    """Find FFmpeg: the one that is set, or the one that comes with Vix."""
    import imageio_ffmpeg

    from render.ffmpeg import FFmpeg

    executable = settings.ffmpeg or imageio_ffmpeg.get_ffmpeg_exe()
    return FFmpeg(executable, pass_fds=pass_fds, niceness=_NICENESS)


def fonts(settings: Settings, *, may_fetch: bool) -> FontCache:
    """Open the fonts. Only what `may_fetch` asks the network; others know what lies here."""
    from fonts_cache import FontCache, GoogleFonts, Routes
    from fonts_cache.cache import SYSTEM

    if not settings.fonts_online:
        return FontCache(settings.fonts, (settings.google_fonts, *SYSTEM))
    fetch = None
    if may_fetch:
        from daemon.sources.google_fonts import fetcher

        fetch = fetcher(settings.fonts_url, settings.private_hosts)
    routes = Routes(settings.fonts_url, settings.google_fonts_key.get_secret_value())
    google = GoogleFonts(settings.google_fonts, routes, fetch, most_total_bytes=settings.fonts_mb * 2**20)
    return FontCache(settings.fonts, google=google)


def sources(settings: Settings, ffmpeg: FFmpeg) -> Sources:
    """Build what films take their material from."""
    from daemon.kinds.base import Sources
    from daemon.sources.catalogue import Catalogue
    from daemon.sources.library import Library
    from render.inspect import inspect_clip
    from render.listen import listen

    catalogue = Catalogue(settings.catalogue, lambda path: inspect_clip(path, ffmpeg))
    # By way of the catalogue, so that the API, which starts no FFmpeg, knows of a track once it was used.
    known = partial(catalogue.track, listen=lambda path: listen(path, ffmpeg))
    return Sources(Library(settings.library_folder), catalogue, fonts(settings, may_fetch=True), known)


def schedule_checks(settings: Settings, opened: Database) -> Checks:
    """Build what schedules are checked against."""
    from daemon.outbound.addresses import Guard
    from daemon.schedules import Checks
    from daemon.sources.library import Library

    library, guard = Library(settings.library_folder), Guard(settings.private_hosts)
    return Checks(library, fonts(settings, may_fetch=False), publishing(settings, opened), guard.check_url)


def tools(settings: Settings, ffmpeg: FFmpeg) -> Tools:
    """Build what films are made with."""
    from daemon.films import Films
    from daemon.pipeline import Tools
    from render.executor import Options

    options = Options(threads=settings.chosen_threads(), stall_s=settings.stall_s)
    return Tools(
        ffmpeg,
        lambda watched: sources(settings, watched),
        options,
        Films(settings.films),
        settings.work,
        prepared_files(settings),
    )


def fill_library(settings: Settings) -> None:
    """Make the starter clips where the library is empty."""
    from daemon.commands.terminal import ProgressLine
    from daemon.sources.first_run import fill_if_empty
    from daemon.sources.library import Library

    try:
        with ProgressLine("Making the starter clips, once:") as line:
            fill_if_empty(Library(settings.library_folder), ffmpeg(settings), line.show)
    except OSError as exc:
        raise SettingsError(f"the library {settings.library_folder} cannot be written: {exc.strerror}") from exc
