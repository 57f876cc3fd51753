"""The commands. Builds Settings, wires everything and passes it down; knows everybody, and nobody knows it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from daemon import __version__, logs
from daemon.errors import SettingsError, StoreError, VixError
from daemon.settings import Settings, load, misspelt

if TYPE_CHECKING:
    from daemon.kinds.base import Sources
    from daemon.pipeline import Tools
    from daemon.store.database import Database
    from daemon.store.keys import KeyStore
    from render.ffmpeg import FFmpeg

# Imports stand inside the commands: the API must not load what only the worker needs, and `--help` loads neither.


# Films give way to the API and to whatever else the machine is for.
_NICENESS = 10

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


# Commands that stay, and are started again when they die.
_STAYING = ("up", "api", "worker")
# Commands whose files are for others, too: what the rest writes is for nobody but the service.
_FOR_OTHERS = ("render", "demo")


class Vix(click.Group):
    """Turns the errors that a person can mend into one line and an exit code: 1, and `EX_CONFIG` where a command that
    stays says that starting it again is no use."""

    def invoke(self, ctx: click.Context) -> object:
        from render.errors import FFmpegStalled, FFmpegTimeout, RenderError, SpecError

        try:
            return super().invoke(ctx)
        except SpecError as exc:
            for problem in exc.problems:
                click.echo(f"vix: {problem.field}: {problem.message}", err=True)
            sys.exit(1)
        except (VixError, RenderError) as exc:
            click.echo(f"vix: {exc}", err=True)
            passes = isinstance(exc, StoreError | FFmpegStalled | FFmpegTimeout)
            refusal = os.EX_CONFIG if ctx.invoked_subcommand in _STAYING and not passes else 1
            sys.exit(getattr(exc, "exit_code", refusal))


@click.group(cls=Vix, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vix")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """One HTTP request becomes one finished portrait video."""
    if ctx.invoked_subcommand not in _FOR_OTHERS:
        os.umask(0o077)


@cli.command()
def up() -> None:
    """Run the service on this machine: API and worker."""
    from daemon.supervisor import supervise

    settings = _settings()
    _fill_library(settings)
    sys.exit(supervise({"api": _command("api"), "worker": _command("worker")}, settings.stop_s))


@cli.command()
def api() -> None:
    """Run the API alone."""
    from daemon.commit import running_commit
    from daemon.queue import Doorbell
    from daemon.sources.library import Library
    from daemon.store.jobs import JobStore
    from daemon.store.keys import KeyStore, load_pepper
    from daemon.web.app import create_app
    from daemon.web.server import serve
    from daemon.web.services import Services
    from fonts_cache import FontCache

    settings = _settings()
    database = _database(settings)
    services = Services(
        jobs=JobStore(database),
        keys=KeyStore(database, load_pepper(settings.data / "secret")),
        library=Library(settings.library_folder),
        fonts=FontCache(settings.fonts),
        ring=Doorbell(_queue(settings)).ring,
        data=settings.data,
        films=settings.films,
        public_url=str(settings.public_url).rstrip("/") if settings.public_url else None,
        version=__version__,
        commit=running_commit(),
    )
    try:
        serve(create_app(services), settings.host, settings.port, lambda url: click.echo(f"Vix listens on {url}"))
    except OSError as exc:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}. Set VIX_PORT to another port."
        ) from exc


@cli.command()
def worker() -> None:
    """Run the worker alone."""
    from daemon.jobs import Job, Report
    from daemon.lock import WorkerLock
    from daemon.pipeline import Order, make
    from daemon.queue import Doorbell
    from daemon.store.jobs import JobStore
    from daemon.worker import Outcome, Worker

    settings = _settings()
    _fill_library(settings)
    with WorkerLock(settings.data / "worker.lock") as lock:
        tools = _tools(settings, _ffmpeg(settings, pass_fds=(lock.fd,)))

        def run_job(job: Job, report: Report, cancelled: Callable[[], bool]) -> Outcome:
            film = make(Order(job.id, job.kind, job.spec, job.seed), tools, report, cancelled)
            return Outcome(film.result, film.warnings)

        about = {"version": __version__, "ffmpeg": tools.ffmpeg.version()}
        store = JobStore(_database(settings))
        Worker(
            store,
            Doorbell(_queue(settings)),
            run_job,
            lock=lock,
            data=settings.data,
            work=settings.work,
            films=settings.films,
            stop_s=settings.stop_s,
            about=about,
        ).run()


@cli.command()
@click.argument("spec", type=click.File("rb"))
@click.option("-o", "--out", type=FILE, help="The film to write, ending in .mp4.")
@click.option("--library", type=FOLDER, help="A library, or a folder of clips.")
@click.option("--seed", type=click.IntRange(0), help="Chooses clips, offsets, music; without it the request's, else 0.")
@click.option("--timeline", is_flag=True, help="Print the compiled Timeline as JSON.")
@click.option("--dry-run", is_flag=True, help="Check and choose, but render nothing.")
def render(
    spec: BinaryIO, out: Path | None, library: Path | None, seed: int | None, timeline: bool, dry_run: bool
) -> None:
    """Make one film from the request in SPEC (a JSON file, or - for standard input), without a server."""
    from daemon.render_command import RenderRequest, run

    if out is None and not (timeline or dry_run):
        raise click.UsageError("say where the film goes: -o FILM.mp4")
    if out is not None and out.suffix.lower() != ".mp4":
        raise click.UsageError(f"the film is an MP4 file: write -o {out.stem or 'FILM'}.mp4")
    settings = _settings(library)
    if library is None:  # a folder that somebody names is theirs, and stays as it is
        _fill_library(settings)
    request = RenderRequest(spec.read(), seed, out, timeline, dry_run)
    run(request, _tools(settings, _ffmpeg(settings)))


@cli.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the film; by default `demo` in the data folder."
)
@click.option("--keep", is_flag=True, help="Leave the service running until Ctrl-C.")
def demo(out: Path | None, keep: bool) -> None:
    """Start the service, send it a request as n8n would, and show the film it answers with."""
    from daemon.demo import run

    settings = _settings()
    _fill_library(settings)
    sys.exit(run(settings, {"api": _command("api"), "worker": _command("worker")}, out, keep))


@cli.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.argument("name")
def create_key(name: str) -> None:
    """Make a key. It is shown once, alone on the last line."""
    key, secret = _key_store().create(name)
    click.echo(f'Key {key.id} for "{name}". It is not shown again:', err=True)
    click.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """List keys, without their secrets."""
    for key in _key_store().list():
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "active"
        click.echo(f"{key.id}  {key.created_at:%Y-%m-%d}  {state:<18}  {key.name}")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End a key's life at once."""
    if not _key_store().revoke(key_id):
        raise click.ClickException(f"there is no active key {key_id}; `vix keys list` shows the ids")
    click.echo(f"Key {key_id} is revoked.")


@cli.group()
def library() -> None:
    """The clip library."""


@library.command()
def scan() -> None:
    """Look at every clip that is new or has changed, and say which are skipped and why."""
    from daemon.scan import scan as scan_library

    settings = _settings()
    scan_library(_sources(settings, _ffmpeg(settings)))


@cli.command()
def doctor() -> None:
    """Check that everything Vix needs is there, and say what to do where it is not."""
    from daemon.doctor import examine

    settings = load()
    logs.configure(settings.log_level)
    sys.exit(examine(settings, _ffmpeg(settings)))


def _settings(library: Path | None = None) -> Settings:
    """The settings of a command that works in the data folder, which is there afterwards."""
    settings = load()
    logs.configure(settings.log_level)
    for sentence in misspelt():
        click.echo(f"vix: {sentence}", err=True)
    try:
        settings.data.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _unwritable(settings.data, exc.strerror) from exc
    if not os.access(settings.data, os.W_OK | os.X_OK):
        raise _unwritable(settings.data, os.strerror(errno.EACCES))
    return settings.model_copy(update={"library": library.absolute()}) if library else settings


def _unwritable(folder: Path, reason: str | None) -> SettingsError:
    return SettingsError(
        f"the data folder {folder} cannot be written: {reason}. Set VIX_DATA to a folder that you may write to."
    )


def _command(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "daemon", name]


def _queue(settings: Settings) -> str | Path:
    return settings.queue_url.get_secret_value() or settings.data / "queue.db"


def _database(settings: Settings) -> Database:
    from daemon.store.database import open_database

    return open_database(settings.data / "vix.db")


def _key_store() -> KeyStore:
    from daemon.store.keys import KeyStore, load_pepper

    settings = _settings()
    database = _database(settings)
    return KeyStore(database, load_pepper(settings.data / "secret"))


def _ffmpeg(settings: Settings, pass_fds: tuple[int, ...] = ()) -> FFmpeg:
    import imageio_ffmpeg

    from render.ffmpeg import FFmpeg

    executable = settings.ffmpeg or imageio_ffmpeg.get_ffmpeg_exe()
    return FFmpeg(executable, pass_fds=pass_fds, niceness=_NICENESS)


def _sources(settings: Settings, ffmpeg: FFmpeg) -> Sources:
    from daemon.kinds.base import Sources
    from daemon.sources.catalogue import Catalogue
    from daemon.sources.library import Library
    from fonts_cache import FontCache
    from render.inspect import inspect_clip
    from render.probe import probe

    catalogue = Catalogue(settings.catalogue, lambda path: inspect_clip(path, ffmpeg))
    fonts = FontCache(settings.fonts)
    return Sources(Library(settings.library_folder), catalogue, fonts, lambda path: probe(path, ffmpeg))


def _tools(settings: Settings, ffmpeg: FFmpeg) -> Tools:
    from daemon.pipeline import Tools
    from render.executor import Options

    options = Options(threads=settings.chosen_threads(), stall_s=settings.stall_s)
    return Tools(ffmpeg, _sources(settings, ffmpeg), options, settings.films, settings.work)


def _fill_library(settings: Settings) -> None:
    from daemon.sources.first_run import fill_if_empty
    from daemon.sources.library import Library
    from daemon.terminal import ProgressLine

    try:
        with ProgressLine("Making the starter clips, once:") as line:
            fill_if_empty(Library(settings.library_folder), _ffmpeg(settings), line.show)
    except OSError as exc:
        raise SettingsError(f"the library {settings.library_folder} cannot be written: {exc.strerror}") from exc


if __name__ == "__main__":
    cli(prog_name="vix")
