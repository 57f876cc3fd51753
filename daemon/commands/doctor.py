"""`vix doctor`: checks what Vix needs on this machine and says what to do about what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from daemon.commands import wiring
from daemon.errors import VixError
from daemon.limits import LEAST_FREE_BYTES
from daemon.settings import Settings
from daemon.sources.library import Library
from daemon.store.views import JobViews
from daemon.store.workers import WorkerStore
from fonts_cache import GoogleFonts
from render.errors import FFmpegError
from render.ffmpeg import FFmpeg
from render.sandbox import sandbox_report

_NEEDED_ENCODERS = ("libx264", "aac")
_NEEDED_FILTERS = ("overlay", "lutyuv", "framerate", "zscale", "tonemap", "loop", "tpad")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked: whether it is well, what was seen, and what to do where it is not."""

    ok: bool
    what: str
    seen: str
    remedy: str = ""


def examine(settings: Settings, ffmpeg: FFmpeg) -> int:
    """Print every finding; the exit code is 1 where something is wrong."""
    findings = [finding for check in _CHECKS for finding in check(settings, ffmpeg)]
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}: {finding.seen}")
        if not finding.ok and finding.remedy:
            click.echo(f"     -> {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1


def _machine(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    seen = f"Python {platform.python_version()}, {platform.machine()}, {cores} cores, {memory_mb} MB of memory"
    yield Finding(memory_mb >= 700, "machine", seen, "a render needs 300 MB; add memory or swap")


def _data(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    folder = settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        yield Finding(
            False, "data folder", f"{folder}: {exc.strerror}", "set VIX_DATA to a folder that you may write to"
        )
        return
    free = shutil.disk_usage(folder).free
    seen = f"{folder}, {free // 2**20} MB free"
    yield Finding(free >= LEAST_FREE_BYTES, "data folder", seen, "free some space: a minute of film takes about 30 MB")


def _database(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    try:
        waiting = JobViews(wiring.database(settings)).waiting()
    except VixError as exc:
        yield Finding(False, "database", str(exc), f"look at {settings.data / 'vix.db'}")
    else:
        yield Finding(True, "database", f"{waiting} jobs waiting")


def _ffmpeg(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    remedy = "unset FFMPEG to use the one that comes with Vix" if settings.ffmpeg else "run ./vix again to repair .venv"
    try:
        version = ffmpeg.version()
        encoders = ffmpeg.capture(["-encoders"], wall_s=20).stdout.decode()
        filters = ffmpeg.capture(["-filters"], wall_s=20).stdout.decode()
    except FFmpegError as exc:
        yield Finding(False, "FFmpeg", str(exc), remedy)
        return
    missing = [name for name in _NEEDED_ENCODERS if f" {name} " not in encoders]
    missing += [name for name in _NEEDED_FILTERS if f" {name} " not in filters]
    seen = f"{version} at {ffmpeg.executable}" + (f", without {', '.join(missing)}" if missing else "")
    yield Finding(not missing, "FFmpeg", seen, remedy)


def _sandbox(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    """What is missing here does not stop a film, so nothing fails."""
    report = sandbox_report()
    if report["landlock"]:
        network = "no TCP" if report["tcp"] else "but TCP, which Linux 6.7 can refuse"
        confined = f"reads its inputs and writes one folder (Landlock {report['landlock']}), {network}"
    else:
        confined = "reads and writes what you may, since this kernel has no Landlock (Linux 5.13, switched on)"
    yield Finding(True, "sandbox", f"FFmpeg {confined}; memory, files and CPU time limited")
    if not report["death_signal"]:
        seen = (
            "setpriv of util-linux is not installed: an FFmpeg that is just being started may outlive a killed worker"
        )
        yield Finding(True, "sandbox", seen)


def _library(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    library = Library(settings.library_folder)
    styles = ", ".join(f"{name} ({count})" for name, count in library.styles().items())
    tracks, logos = len(library.tracks()), len(library.logos())
    seen = f"{styles or 'no clips yet'}; {tracks} tracks, {logos} logos"
    yield Finding(True, "library", f"{seen}; `vix library scan` looks at every clip")


def _fonts(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    """A network that is not there does not stop a film, so only a damaged package fails."""
    fonts = wiring.fonts(settings, may_fetch=False)
    names = fonts.families()
    seen = f"{len(names)} names here; {_google(fonts.google)}"
    yield Finding("Arial" in names, "fonts", seen, "the package is damaged; clone it again")


def _google(google: GoogleFonts | None) -> str:
    if google is None:
        return "no others are fetched, as VIX_FONTS_ONLINE says"
    kept, families = google.kept(), len(google.families())
    size = f"{len(kept)} faces fetched, {sum(one.size for one in kept) / 2**20:.1f} MB"
    known = f"{families} families of Google Fonts known" if families else "the worker fetches the list of Google Fonts"
    trouble = google.trouble()
    return f"{known}; {size}" + (f"; it could not be asked: {trouble}" if trouble else "")


def _worker(settings: Settings, ffmpeg: FFmpeg) -> Iterator[Finding]:
    now = datetime.now(UTC)
    try:
        workers = [one for one in WorkerStore(wiring.database(settings)).all() if one.is_alive(now)]
    except VixError:  # the database has a line of its own
        workers = []
    said = [f"process {worker.about.get('pid')}, heard of {worker.silent_s(now):.0f} s ago" for worker in workers]
    yield Finding(True, "worker", "; ".join(said) or "not running; `vix up` starts it")


_CHECKS: tuple[Callable[[Settings, FFmpeg], Iterator[Finding]], ...] = (
    _machine,
    _data,
    _database,
    _ffmpeg,
    _sandbox,
    _library,
    _fonts,
    _worker,
)
