"""The only place that starts FFmpeg: arguments in, a finished process or an error out.

Knows nothing of films. Every child is confined to its inputs and one folder to write to, and watched for progress.
"""

from __future__ import annotations

import copy
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from render.errors import (
    FFmpegFailed,
    FFmpegLost,
    FFmpegOutOfMemory,
    FFmpegStalled,
    FFmpegTimeout,
    NoSpace,
)
from render.running import Deadline, Ended, Kept, follow
from render.sandbox import ENVIRONMENT, Child, Limits, Sandbox, start

STALL_S = 60.0
# Of one core: less than this is not decoding, but hanging.
_LEAST_SHARE = 0.02
TAIL_BYTES = 8_192
MAX_PIXELS = 36_000_000

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,"
    "mp3,wav,flac,ogg,aac,aiff,png_pipe,jpeg_pipe,webp_pipe"
)
_PREFIX = ("-hide_banner", "-max_alloc", "268435456")
_QUIET = ("-nostdin", "-loglevel", "warning")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5", "-nostats")
# Variables such as FFREPORT and AV_LOG_FORCE_COLOR change what FFmpeg writes, others hold secrets: it gets none.
_ENVIRONMENT = {**ENVIRONMENT, "AV_LOG_FORCE_NOCOLOR": "1"}
_LIMITS = Limits()
_FILE = "file:"
# A program that breaks off by itself, which what it was given has brought about.
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)
_NO_SPACE = ("No space left on device", "Disk quota exceeded")
_NO_MEMORY = ("Cannot allocate memory", "malloc of size", "pthread_create() failed", "failed to map segment")
# What setpriv(1) or a shell end with where they could not become FFmpeg, which has no such codes itself.
_NOT_STARTED = (126, 127)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a finished process used and did: user and system seconds, largest resident set in MB, frames, last lines."""

    cpu_s: float
    peak_rss_mb: float
    frames: int
    tail: str


@dataclass(frozen=True, slots=True)
class Captured:
    """What a process wrote: raw standard output, decoded standard error."""

    stdout: bytes
    stderr: str


@dataclass(frozen=True, slots=True)
class Watch:
    """How a long run is watched. `on_frame` gets the number of frames written so far."""

    on_frame: Callable[[int], None] = lambda frame: None
    stall_s: float = STALL_S
    wall_s: float = 3_600.0


def source(path: Path, *options: str) -> list[str]:
    """Arguments that open one local file as an input, and nothing that the file might point to.

    A file's suffix proves nothing: a text named `clip.mp4` may be a playlist that reads other files, so containers are
    listed by name and the only protocol is `file`.
    """
    guards = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-max_pixels", str(MAX_PIXELS)]
    return [*guards, *options, "-i", f"{_FILE}{path.absolute()}"]


def raw_source(path: Path, width: int, height: int, pixels: str = "rgba") -> list[str]:
    """Arguments that open a file of bare frames that we have written ourselves."""
    form = ["-f", "rawvideo", "-pixel_format", pixels, "-video_size", f"{width}x{height}"]
    return ["-protocol_whitelist", "file", *form, "-i", f"{_FILE}{path.absolute()}"]


class FFmpeg:
    """An FFmpeg executable. `pass_fds` stay open in every child, `niceness` is added to its priority value.

    A run may read the files that follow `-i file:` in its arguments, and read and write the folder `writes`.
    """

    def __init__(self, executable: str, *, pass_fds: Sequence[int] = (), niceness: int = 0) -> None:
        self.executable = executable
        self.pass_fds = tuple(pass_fds)
        self.niceness = niceness
        self.cancelled: Callable[[], bool] = lambda: False

    def watched(self, cancelled: Callable[[], bool]) -> FFmpeg:
        """A copy whose runs, and looks at clips, end with Cancelled soon after `cancelled()` is true."""
        other = copy.copy(self)
        other.cancelled = cancelled
        return other

    def version(self) -> str:
        """The version as FFmpeg prints it, such as `9.0.2`; empty where it prints none.

        Raises:
            FFmpegLost: the executable cannot be started.
        """
        first = self.capture(["-version"], wall_s=20).stdout.decode(errors="replace").partition("\n")[0]
        match = re.match(r"ffmpeg version (\S+)", first)
        return match.group(1) if match else ""

    def programs(self) -> tuple[Path, ...]:
        """What has to be run and read so that the executable works: itself and the libraries that come with it."""
        executable = Path(self.executable)
        prefix = executable.resolve().parent.parent
        return executable, prefix / "lib", prefix / "lib64"

    def run(self, args: Sequence[str], watch: Watch, *, writes: Path | None = None, limits: Limits = _LIMITS) -> Usage:
        """Run to the end, reporting frames as they are written.

        Raises:
            FFmpegError, Cancelled: the process is gone when any of them is raised.
        """
        child = self._start([*_QUIET, *_PROGRESS, *args], writes, limits)
        progress = _Progress(watch, child.pid)
        deadline = Deadline("FFmpeg", watch.wall_s, self.cancelled)

        def check() -> None:
            deadline.check()
            progress.check()

        try:
            ended = follow(child, progress.take, check)
        finally:
            child.end()
        tail = progress.tail.decode(errors="replace")
        # Of a look at a file this would be a verdict: it announces more than anything sane needs.
        if ended.code and any(words in tail for words in _NO_MEMORY):
            raise FFmpegOutOfMemory("FFmpeg came to the limit of the memory that it may have", tail)
        _judge(ended, tail, limits, wrote=writes is not None)
        return Usage(ended.cpu_s, progress.peak_rss_mb or ended.most_rss_mb, progress.frames, tail)

    def capture(
        self,
        args: Sequence[str],
        *,
        wall_s: float,
        check: bool = True,
        writes: Path | None = None,
        limits: Limits = _LIMITS,
    ) -> Captured:
        """Run a short command and return what it wrote. `check` makes a non-zero exit an error.

        Raises:
            FFmpegError, Cancelled: the process is gone when any of them is raised.
        """
        child = self._start(["-nostdin", *args], writes, limits)
        kept = Kept()
        try:
            ended = follow(child, kept.take, Deadline("FFmpeg", wall_s, self.cancelled).check)
        finally:
            child.end()
        if check:
            _judge(ended, kept.err[-TAIL_BYTES:], limits, wrote=writes is not None)
        return Captured(kept.out, kept.err)

    def stream(self, args: Sequence[str], take: Callable[[bytes], object], *, wall_s: float) -> None:
        """Run with what it writes to its standard output handed to `take` piece by piece, which may hold it up.

        Raises:
            FFmpegError, Cancelled: the process is gone when any of them is raised.
        """
        child = self._start(["-nostdin", *args], None, _LIMITS)
        kept = Kept()

        def hear(stream: str, data: bytes) -> None:
            if stream == "out":
                take(data)
            else:
                kept.take(stream, data)

        try:
            ended = follow(child, hear, Deadline("FFmpeg", wall_s, self.cancelled).check)
        finally:
            child.end()
        _judge(ended, kept.err[-TAIL_BYTES:], _LIMITS, wrote=False)

    def feed(
        self,
        args: Sequence[str],
        chunks: Iterable[bytes | memoryview],
        *,
        wall_s: float,
        writes: Path | None = None,
        limits: Limits = _LIMITS,
    ) -> None:
        """Run with `chunks` written to its standard input (`-i pipe:0`), which is then closed.

        Raises:
            FFmpegError, Cancelled: the process is gone when any of them is raised.
        """
        child = self._start(["-loglevel", "warning", *args], writes, limits, stdin=subprocess.PIPE)
        kept = Kept()
        try:
            ended = follow(child, kept.take, Deadline("FFmpeg", wall_s, self.cancelled).check, chunks)
        finally:
            child.end()
        _judge(ended, kept.err[-TAIL_BYTES:], limits, wrote=writes is not None)

    def _start(
        self, args: Sequence[str], writes: Path | None, limits: Limits, *, stdin: int = subprocess.DEVNULL
    ) -> Child:
        sandbox = Sandbox(
            runs=self.programs(),
            reads=tuple(_inputs(args)),
            writes=(writes,) if writes else (),
            niceness=self.niceness,
        )
        command = [self.executable, *_PREFIX, *args]
        try:
            return start(command, sandbox, limits, pass_fds=self.pass_fds, env=_ENVIRONMENT, stdin=stdin)
        except OSError as exc:
            raise FFmpegLost(f"FFmpeg cannot be started ({self.executable}): {exc.strerror}") from exc


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process so far (proc(5), fields 14 and 15 of stat); 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _inputs(args: Sequence[str]) -> Iterator[Path]:
    for option, value in pairwise(args):
        if option == "-i" and value.startswith(_FILE):
            yield Path(value.removeprefix(_FILE))


class _Progress:
    """Splits the progress stream into frame counts, minds that it goes on, and keeps the end of standard error."""

    def __init__(self, watch: Watch, pid: int) -> None:
        self.tail = b""
        self.frames = 0
        self.peak_rss_mb = 0.0
        self._pid = pid
        self._watch = watch
        self._moved = time.monotonic()
        self._used_s = 0.0
        self._rest = b""
        self._seen: dict[bytes, bytes] = {}

    def take(self, stream: str, data: bytes) -> None:
        """Take bytes of `out` or `err`."""
        if stream == "err":
            self.tail = (self.tail + data)[-TAIL_BYTES:]
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        before = dict(self._seen)
        for line in lines:
            key, _, value = line.partition(b"=")
            if key in (b"frame", b"out_time_us", b"total_size"):
                self._seen[key] = value
        if self._seen.get(b"frame") != before.get(b"frame") and (frame := self._seen[b"frame"].strip()).isdigit():
            self.frames = int(frame)
            self._watch.on_frame(self.frames)
        if self._seen != before:
            self._moved = time.monotonic()

    def _look_at_memory(self) -> None:
        """Note the peak so far. What the kernel tells after the end may be our own peak, where vfork was used."""
        try:
            status = Path(f"/proc/{self._pid}/status").read_bytes()
        except OSError:
            return
        if match := re.search(rb"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
            self.peak_rss_mb = max(self.peak_rss_mb, int(match.group(1)) / 1024)

    def check(self) -> None:
        """Raise FFmpegStalled where nothing has changed for too long, and it did not compute either: on a slow machine
        minutes go by until a long group of pictures is decoded up to where the film begins."""
        self._look_at_memory()
        if time.monotonic() - self._moved > self._watch.stall_s / 2 and (used_s := _cpu_s(self._pid)) > self._used_s:
            self._used_s, self._moved = used_s + self._watch.stall_s * _LEAST_SHARE, time.monotonic()
        if time.monotonic() - self._moved > self._watch.stall_s:
            raise FFmpegStalled(f"FFmpeg made no progress for {self._watch.stall_s:g} s")


def _judge(ended: Ended, tail: str, limits: Limits, *, wrote: bool) -> None:
    """Raise what an exit code means. Only of one that wrote files the last lines are believed to tell of a full disk:
    where it looks at a file, that file's own title stands there."""
    if ended.code == 0:
        return
    if wrote and any(words in tail for words in _NO_SPACE):
        raise NoSpace("there was no space left to write the film to", tail)
    if ended.code in _NOT_STARTED:
        raise FFmpegLost("FFmpeg cannot be started", tail)
    if -ended.code == signal.SIGXFSZ:
        raise FFmpegFailed(f"FFmpeg wrote more than {limits.file_bytes >> 20} MB into one file", tail)
    if -ended.code in (signal.SIGKILL, signal.SIGXCPU) and ended.cpu_s >= limits.cpu_s - 1:
        raise FFmpegTimeout(f"FFmpeg used more than {limits.cpu_s} CPU seconds", tail)
    if -ended.code == signal.SIGKILL:
        raise FFmpegOutOfMemory("FFmpeg was killed by signal 9, as happens where memory runs out", tail)
    if -ended.code in _CRASHES:
        raise FFmpegFailed(f"FFmpeg crashed with signal {-ended.code}", tail)
    if ended.code < 0:
        raise FFmpegLost(f"FFmpeg was killed by signal {-ended.code}", tail)
    raise FFmpegFailed(f"FFmpeg ended with code {ended.code}", tail)
