"""Has a question answered by a Python process of its own, confined to the files that it is about: what is heavy stays
out of the caller, and so does what a hostile file may break. Knows no question.

The child is `python -m MODULE ENVELOPE`, whose `main` hands its arguments to `answer`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from render.errors import FFmpegFailed, FFmpegLost, FFmpegOutOfMemory, FFmpegTimeout, MediaError, NoSpace
from render.ffmpeg import TAIL_BYTES, FFmpeg
from render.plain import from_plain, to_plain
from render.running import Deadline, Kept, follow
from render.sandbox import ENVIRONMENT, Child, Limits, Sandbox, die_with_parent, limit

_BAD_FILE, _NO_SPACE = 4, 5
# Signals that a decoder or OpenCV dies of by itself; SIGKILL comes from outside, as when memory runs out.
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_LIMITS = Limits()
_ROOT = Path(__file__).resolve().parent.parent

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Files:
    """What a question is about: the file it is named after, and the folder that may be written to."""

    source: Path
    writes: Path | None = None


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A question as JSON, its files, the FFmpeg to use, and who wants to know."""

    question: str
    files: Files
    executable: str
    pass_fds: tuple[int, ...]
    niceness: int
    parent: int


def ask(
    module: str,
    question: Any,
    files: Files,
    ffmpeg: FFmpeg,
    *,
    wall_s: float,
    limits: Limits = _LIMITS,
    heard: Callable[[bytes], object] | None = None,
) -> Any:
    """Start a child and return its answer; its whole group is killed when it takes too long, or `ffmpeg` is cancelled.

    `question` is a frozen dataclass, the answer what JSON can say. `heard` gets what the child writes meanwhile.

    Raises:
        MediaError: the file is why there is no answer.
        FFmpegError, Cancelled: something else is, so the file may be asked about again.
    """
    files = Files(files.source.absolute(), files.writes and files.writes.absolute())
    envelope = _Envelope(
        json.dumps(to_plain(question)), files, ffmpeg.executable, ffmpeg.pass_fds, ffmpeg.niceness, os.getpid()
    )
    child = Child(
        [sys.executable, "-m", module, json.dumps(to_plain(envelope))],
        pass_fds=ffmpeg.pass_fds,
        env=ENVIRONMENT,
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    kept, name = Kept(), files.source.name

    def take(stream: str, data: bytes) -> None:
        kept.take(stream, data)
        if stream == "out" and heard is not None:
            heard(data)

    try:
        limit(child, limits)
        ended = follow(child, take, Deadline("the look", wall_s, ffmpeg.cancelled).check)
    except FFmpegTimeout as exc:
        raise FFmpegTimeout(f"{name} took longer than {wall_s:g} s to look at") from exc
    finally:
        child.end()
    if ended.code == 0:
        return json.loads(kept.out.rpartition(b"\n")[2] or b"null")
    tail = kept.err[-TAIL_BYTES:]
    if ended.code == _BAD_FILE or -ended.code in _CRASHES:
        raise MediaError(f"{name} cannot be looked at") from FFmpegFailed("the look failed", tail)
    if ended.code == _NO_SPACE:
        raise NoSpace(f"there was no space left to look at {name}", tail)
    if -ended.code == signal.SIGKILL:
        raise FFmpegOutOfMemory(f"looking at {name} was ended, as happens where memory runs out", tail)
    raise FFmpegLost(f"{name} could not be looked at now", tail)


def answer(argv: Sequence[str], kind: type[T], find: Callable[[T, FFmpeg], Any]) -> int:
    """The child's side: confine this process, find the answer to the question (a `kind`), print it; the exit code."""
    envelope = from_plain(_Envelope, json.loads(argv[0]))
    if not die_with_parent(envelope.parent):
        return 1
    ffmpeg = FFmpeg(envelope.executable, pass_fds=envelope.pass_fds)
    _confine(envelope, ffmpeg)
    try:
        found = find(from_plain(kind, json.loads(envelope.question)), ffmpeg)
    except (MediaError, FFmpegFailed, MemoryError) as exc:
        print(repr(exc), file=sys.stderr)
        return _BAD_FILE
    except NoSpace as exc:
        print(exc.tail, file=sys.stderr)
        return _NO_SPACE
    print(json.dumps(to_plain(found)), end="")
    return 0


def _confine(envelope: _Envelope, ffmpeg: FFmpeg) -> None:
    """Before anything of the file is read, and before numpy and OpenCV are loaded, whose threads inherit it."""
    python = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix))
    Sandbox(
        runs=(*python, *ffmpeg.programs()),
        reads=(_ROOT / "render", envelope.files.source),
        writes=(envelope.files.writes,) if envelope.files.writes else (),
        niceness=envelope.niceness,
    ).enter()
