"""The only place that starts FFmpeg: arguments in, a finished process or an error out.

Knows nothing of films. Every child has its own process group, dies with its parent, and is watched for progress.
"""

from __future__ import annotations

import ctypes
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from render.errors import Cancelled, FFmpegError, FFmpegFailed, FFmpegLost, FFmpegStalled, FFmpegTimeout

STALL_S = 60.0
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
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "AV_LOG_FORCE_NOCOLOR": "1"}
_POLL_S = 0.2
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


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
    """How a long run is watched.

    `on_frame` gets the number of frames written so far; `cancelled` is asked several times a second.
    """

    on_frame: Callable[[int], None] = lambda frame: None
    cancelled: Callable[[], bool] = lambda: False
    stall_s: float = STALL_S
    wall_s: float = 3_600.0


def source(path: Path, *options: str) -> list[str]:
    """Arguments that open one local file as an input, and nothing that the file might point to.

    A file's suffix proves nothing: a text named `clip.mp4` may be a playlist that reads other files, so containers are
    listed by name and the only protocol is `file`.
    """
    guards = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-max_pixels", str(MAX_PIXELS)]
    return [*guards, *options, "-i", f"file:{path.absolute()}"]


class FFmpeg:
    """An FFmpeg executable. `pass_fds` stay open in every child, `niceness` is added to its priority value."""

    def __init__(self, executable: str, *, pass_fds: Sequence[int] = (), niceness: int = 0) -> None:
        self.executable = executable
        self._pass_fds = tuple(pass_fds)
        self._niceness = niceness

    def version(self) -> str:
        """The version as FFmpeg prints it, such as `9.0.2`; empty where it prints none.

        Raises:
            FFmpegLost: the executable cannot be started.
        """
        first = self.capture(["-version"], wall_s=20).stdout.decode(errors="replace").partition("\n")[0]
        match = re.match(r"ffmpeg version (\S+)", first)
        return match.group(1) if match else ""

    def run(self, args: Sequence[str], watch: Watch) -> Usage:
        """Run to the end, reporting frames as they are written.

        Raises:
            FFmpegError, Cancelled: the process is gone when any of them is raised.
        """
        child = self._start([*_QUIET, *_PROGRESS, *args])
        lines = _Lines(watch.on_frame)
        try:
            _pump(child, watch, lines.feed)
            return _finish(child, lines)
        finally:
            _kill(child)

    def capture(self, args: Sequence[str], *, wall_s: float, check: bool = True) -> Captured:
        """Run a short command and return what it wrote. `check` makes a non-zero exit an error.

        Raises:
            FFmpegError: the process is gone when it is raised.
        """
        child = self._start(["-nostdin", *args])
        try:
            out, err = child.communicate(timeout=wall_s)
        except subprocess.TimeoutExpired as exc:
            raise FFmpegTimeout(f"FFmpeg did not finish within {wall_s:g} s") from exc
        finally:
            _kill(child)
        text = err.decode(errors="replace")
        if check and child.returncode != 0:
            raise _ended(child.returncode, text[-TAIL_BYTES:])
        return Captured(out, text)

    def feed(self, args: Sequence[str], chunks: Iterable[bytes | memoryview], *, wall_s: float) -> None:
        """Run with `chunks` written to its standard input (`-i pipe:0`), which is then closed.

        Raises:
            FFmpegError: the process is gone when it is raised.
        """
        child = self._start(["-loglevel", "warning", *args], stdin=subprocess.PIPE)
        deadline = time.monotonic() + wall_s
        try:
            assert child.stdin is not None
            try:
                for chunk in chunks:
                    child.stdin.write(chunk)
                    if time.monotonic() > deadline:
                        raise FFmpegTimeout(f"FFmpeg did not finish within {wall_s:g} s")
            except BrokenPipeError:
                pass  # FFmpeg ended first; its exit code and last lines say why
            _, err = child.communicate(timeout=max(1.0, deadline - time.monotonic()))
            if child.returncode != 0:
                raise _ended(child.returncode, err.decode(errors="replace")[-TAIL_BYTES:])
        except subprocess.TimeoutExpired as exc:
            raise FFmpegTimeout(f"FFmpeg did not finish within {wall_s:g} s") from exc
        finally:
            _kill(child)

    def _start(self, args: Sequence[str], *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        niceness = self._niceness
        armed = die_with_parent(os.getpid())

        def prepare() -> None:
            armed()
            if niceness:
                os.nice(niceness)

        try:
            return subprocess.Popen(
                [self.executable, *_PREFIX, *args],
                env=_ENVIRONMENT,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=self._pass_fds,
                preexec_fn=prepare,
            )
        except OSError as exc:
            raise FFmpegLost(f"FFmpeg cannot be started ({self.executable}): {exc.strerror}") from exc


def die_with_parent(parent: int) -> Callable[[], None]:
    """What a child calls between fork and exec so that it is killed when `parent`, the process that starts it, dies.

    The kernel arms this for the starting thread: start children on a thread that lives as long as they do.
    """

    def arm() -> None:
        # Plain system calls only. A parent that died before the first one is noticed by the second.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arm


class _Lines:
    """Splits the progress stream into frame counts and keeps the end of standard error."""

    def __init__(self, on_frame: Callable[[int], None]) -> None:
        self.tail = b""
        self.frames = 0
        self._rest = b""
        self._on_frame = on_frame
        self._seen: dict[bytes, bytes] = {}

    def feed(self, stream: str, data: bytes) -> bool:
        """Take bytes of `out` or `err`; says whether they show progress."""
        if stream == "err":
            self.tail = (self.tail + data)[-TAIL_BYTES:]
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        before = dict(self._seen)
        for line in lines:
            key, _, value = line.partition(b"=")
            if key in (b"frame", b"out_time_us", b"total_size"):
                self._seen[key] = value
        if self._seen.get(b"frame") != before.get(b"frame") and (frame := self._seen[b"frame"].strip()).isdigit():
            self.frames = int(frame)
            self._on_frame(self.frames)
        return self._seen != before


def _pump(child: subprocess.Popen[bytes], watch: Watch, feed: Callable[[str, bytes], bool]) -> None:
    """Read both pipes until they close, minding the limits of `watch`."""
    started = moved = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("out", child.stdout), ("err", child.stderr)):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select(_POLL_S):
                data = os.read(key.fd, 65_536)
                if not data:
                    selector.unregister(key.fileobj)
                elif feed(key.data, data):
                    moved = time.monotonic()
            now = time.monotonic()
            if watch.cancelled():
                raise Cancelled("the render was cancelled")
            if now - moved > watch.stall_s:
                raise FFmpegStalled(f"FFmpeg made no progress for {watch.stall_s:g} s")
            if now - started > watch.wall_s:
                raise FFmpegTimeout(f"FFmpeg did not finish within {watch.wall_s:g} s")


def _ended(code: int, tail: str) -> FFmpegError:
    """The error for an exit code; a negative one is the number of a signal."""
    if code < 0:
        return FFmpegLost(f"FFmpeg was killed by signal {-code}", tail)
    return FFmpegFailed(f"FFmpeg ended with code {code}", tail)


def _finish(child: subprocess.Popen[bytes], lines: _Lines) -> Usage:
    """Collect a child whose pipes are closed."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    tail = lines.tail.decode(errors="replace")
    if child.returncode != 0:
        raise _ended(child.returncode, tail)
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines.frames, tail)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the whole process group of a child that still runs, and close its pipes."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # unwritten input of a process that is gone
