"""A process that stays warm and makes stills, one after the other, each in a child of its own.

`python -m render.still_server` reads requests from standard input, a line of JSON each, and answers with a line of JSON
and the bytes that it announces. What a request does to its child, by memory, time or a crash, ends with that child.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from render.errors import FFmpegError, RenderError
from render.ffmpeg import FFmpeg
from render.plain import from_plain, to_plain
from render.sandbox import MIB, Sandbox, die_with_parent
from render.seen import Seen
from render.spots import spots
from render.still import still
from render.still_request import Reply, Request, Setup
from render.timeline import Media, Picture, Text, Timeline

# Beside what FFmpeg itself may take, which inherits these.
_MEMORY_BYTES, _FILE_BYTES, _CPU_S = 2_560 * MIB, 256 * MIB, 60
_BLOCK = 1 << 20
_ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str]) -> int:
    """Serve until the input ends or nothing was asked for too long."""
    setup = from_plain(Setup, json.loads(argv[0]))
    if not die_with_parent(setup.parent):
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: whoever started this ends it
    shutil.rmtree(setup.folder, ignore_errors=True)
    _seen(setup).folder.mkdir(parents=True)
    gc.freeze()  # children that look at what they share would copy it
    for line in _lines(setup.idle_s):
        reply, body = _apart(setup, line)
        _write(1, json.dumps(to_plain(reply)).encode() + b"\n" + body)
    return 0


def _work(setup: Setup) -> Path:
    return setup.folder / "work"


def _seen(setup: Setup) -> Seen:
    return Seen(setup.folder / "seen")


def _lines(idle_s: float) -> Iterator[bytes]:
    rest = b""
    while select.select([0], [], [], idle_s)[0] and (data := os.read(0, _BLOCK)):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _apart(setup: Setup, line: bytes) -> tuple[Reply, bytes]:
    """Answer in a child, which is killed when it takes too long."""
    shutil.rmtree(_work(setup), ignore_errors=True)
    _work(setup).mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    parent = os.getpid()
    # No thread has been started here, so that nothing is cut off in its middle.
    child = os.fork()
    if not child:
        os.close(reading)
        _be_child(setup, line, parent, writing)
    os.close(writing)
    try:
        written = _read(reading, time.monotonic() + setup.request_s)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    head, _, body = (written or b"").partition(b"\n")
    if written is None:
        return Reply(code="ffmpeg_timeout", message=f"the picture took longer than {setup.request_s:g} s"), b""
    try:
        reply = from_plain(Reply, json.loads(head))
    except ValueError:
        reply = None
    if reply is None or reply.size != len(body):
        log = f"wait status {status}"
        return Reply(code="out_of_memory", message="making the picture took too much of this machine", log=log), b""
    return reply, body


def _read(descriptor: int, until: float) -> bytes | None:
    """All that a child writes until it closes its end; None where it takes too long."""
    parts: list[bytes] = []
    while select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
        if not (data := os.read(descriptor, _BLOCK)):
            return b"".join(parts)
        parts.append(data)
    return None


def _be_child(setup: Setup, line: bytes, parent: int, writing: int) -> None:
    """Answer one request and end, whatever happens: nothing of the parent's may run on here."""
    try:
        if die_with_parent(parent):
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1):
                os.dup2(nothing, descriptor)
            reply, body = _answer(setup, line)
            _write(writing, json.dumps(to_plain(reply)).encode() + b"\n" + body)
    finally:
        os._exit(0)


def _answer(setup: Setup, line: bytes) -> tuple[Reply, bytes]:
    try:
        request = from_plain(Request, json.loads(line))
        ffmpeg = FFmpeg(setup.executable)
        _confine(setup, request.timeline, ffmpeg)
        seen = _seen(setup)
        if request.frame is None:
            body = json.dumps(to_plain(spots(request.timeline, ffmpeg, seen))).encode()
            return Reply(len(body)), body
        made = still(request.timeline, request.frame, _work(setup), ffmpeg, seen)
        return Reply(len(made.png), made.warnings), made.png
    except RenderError as exc:
        log = exc.tail if isinstance(exc, FFmpegError) else ""
        return Reply(code=exc.code, message=str(exc), permanent=exc.permanent, log=log), b""
    except MemoryError:
        return Reply(code="out_of_memory", message="drawing it takes more memory than it may have"), b""
    except Exception:
        return Reply(code="internal", message="the picture could not be made", log=traceback.format_exc()), b""


def _confine(setup: Setup, timeline: Timeline, ffmpeg: FFmpeg) -> None:
    """Before anything of a font, a picture or a clip is read."""
    for kind, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (least, least))
    python = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix))
    Sandbox(
        runs=(*python, *ffmpeg.programs()),
        reads=(_ROOT / "render", *files(timeline)),
        writes=(setup.folder,),
    ).enter()


def files(timeline: Timeline) -> Iterator[Path]:
    """What has to be read to see a Timeline."""
    for layer in timeline.layers:
        if isinstance(layer.content, Media | Picture):
            yield layer.content.path
        elif isinstance(layer.content, Text):
            yield from layer.content.fonts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
