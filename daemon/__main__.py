"""The commands. Builds Settings, wires everything and passes it down; knows everybody, and nobody knows it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

import click

from daemon import __version__
from daemon.commands import wiring
from daemon.commands.accounts import accounts, vault
from daemon.commands.backup import backup, restore
from daemon.commands.deliveries import alert, deliveries
from daemon.commands.fonts import fonts
from daemon.commands.install.command import install_command
from daemon.commands.keys import keys
from daemon.commands.schedules import schedules
from daemon.errors import StoreError, VixError
from daemon.settings import load

# Imports stand inside the commands: the API must not load what only the worker needs, and `--help` loads neither.

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


# Commands that stay, and are started again when they die.
_STAYING = ("up", "api", "worker")
# Commands whose files are for others, too: what the rest writes is for nobody but the service.
_FOR_OTHERS = ("render", "demo", "install")


class Vix(click.Group):
    """Turns the errors that a person can mend into one line and an exit code: 1, and `EX_CONFIG` where a command that
    stays says that starting it again is no use."""

    def invoke(self, ctx: click.Context) -> object:
        from render.errors import FFmpegLost, FFmpegStalled, FFmpegTimeout, NoSpace, RenderError, SpecError

        try:
            return super().invoke(ctx)
        except SpecError as exc:
            for problem in exc.problems:
                click.echo(f"vix: {problem.field}: {problem.message}", err=True)
            sys.exit(1)
        except (VixError, RenderError) as exc:
            click.echo(f"vix: {exc}", err=True)
            passes = isinstance(exc, StoreError | FFmpegLost | FFmpegStalled | FFmpegTimeout | NoSpace)
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
    from daemon.worker.pulse import Pulse

    settings = wiring.ready_settings()
    wiring.fill_library(settings)
    pulse = Pulse(settings.lease_s)
    commands = {"api": wiring.command("api"), "worker": [*wiring.command("worker"), "--pulse-fd", str(pulse.fd)]}

    def hangs(name: str, pid: int) -> bool:
        return name == "worker" and pulse.is_gone(pid)

    sys.exit(supervise(commands, settings.stop_s, hangs=hangs, pass_fds=(pulse.fd,)))


@cli.command()
def api() -> None:
    """Run the API alone."""
    from daemon.commands.api import run

    run(wiring.ready_settings())


@cli.command()
@click.option("--pulse-fd", type=click.IntRange(3), hidden=True, help="Where `up` hears that it lives.")
def worker(pulse_fd: int | None) -> None:
    """Run the worker alone."""
    from daemon.commands.worker import run

    run(wiring.ready_settings(), pulse_fd)


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
    from daemon.commands.render import RenderRequest, run

    if out is None and not (timeline or dry_run):
        raise click.UsageError("say where the film goes: -o FILM.mp4")
    if out is not None and out.suffix.lower() != ".mp4":
        raise click.UsageError(f"the film is an MP4 file: write -o {out.stem or 'FILM'}.mp4")
    settings = wiring.ready_settings(library)
    if library is None:  # a folder that somebody names is theirs, and stays as it is
        wiring.fill_library(settings)
    request = RenderRequest(spec.read(), seed, out, timeline, dry_run)
    run(request, wiring.tools(settings, wiring.ffmpeg(settings)))


@cli.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the film; by default `demo` in the data folder."
)
@click.option("--keep", is_flag=True, help="Leave the service running until Ctrl-C.")
@click.option("--publish", is_flag=True, help="Publish the film, too, on a stand-in of Facebook on this machine.")
def demo(out: Path | None, keep: bool, publish: bool) -> None:
    """Start the service, send it a request as n8n would, and show the film it answers with."""
    from daemon.commands.demo import Wishes, run

    settings = wiring.ready_settings()
    wiring.fill_library(settings)
    sys.exit(run(settings, {name: wiring.command(name) for name in ("api", "worker")}, Wishes(out, keep, publish)))


cli.add_command(keys)
cli.add_command(fonts)
cli.add_command(schedules)
cli.add_command(accounts)
cli.add_command(deliveries)
cli.add_command(vault)
cli.add_command(alert)
cli.add_command(backup)
cli.add_command(install_command)
cli.add_command(restore)


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs"), help="Folder for the sheet.")
def gallery(out: Path) -> None:
    """Draw one sheet of what texts, motion and looks can be, from the starter clips."""
    from daemon.commands.gallery import plates, run

    settings = wiring.ready_settings()
    wiring.fill_library(settings)
    tools = wiring.ffmpeg(settings)
    run(out, wiring.sources(settings, tools), tools, plates())


@cli.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def prune(dry_run: bool) -> None:
    """Remove what has been kept long enough: films, captions, ended jobs, what nobody needs."""
    settings = wiring.ready_settings()
    gone = wiring.retention(settings, wiring.database(settings)).prune(dry_run)
    verb = "would be removed" if dry_run else "removed"
    click.echo(
        f"{verb}: {gone.films} films ({gone.film_bytes / 2**20:.1f} MB), {gone.strays} files of nobody, "
        f"{gone.prepared} prepared jobs, {gone.jobs} ended jobs"
    )


@cli.group()
def library() -> None:
    """The clip library."""


@library.command()
def scan() -> None:
    """Look at every clip and listen to every track that is new or has changed; say which are skipped and why."""
    from daemon.commands.scan import scan as scan_library

    settings = wiring.ready_settings()
    scan_library(wiring.sources(settings, wiring.ffmpeg(settings)))


@cli.command()
def doctor() -> None:
    """Check that everything Vix needs is there, and say what to do where it is not."""
    from daemon.commands.doctor import examine

    settings = load()
    wiring.configure_logs(settings)
    sys.exit(examine(settings, wiring.ffmpeg(settings)))


if __name__ == "__main__":
    cli(prog_name="vix")
