"""Row 4: kill -9 of a process that runs FFmpeg. FFmpeg goes with it, and holds the lock until it is gone."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import media
from tests.processes import comes, gone

ROOT = Path(__file__).parents[2]
KILLS = 25
# Holds a lock as the worker does, and runs FFmpeg after FFmpeg: a long one, or many short ones.
WORKER = """
import fcntl, sys
from render.ffmpeg import FFmpeg, Watch
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("up", flush=True)
ffmpeg = FFmpeg(sys.argv[2], pass_fds=[lock.fileno()], niceness=10)
args = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-t", sys.argv[3], "-f", "null", "-"]
while True:
    ffmpeg.run(args, Watch())
"""
# The same with what Python brings, to see that the lock shows who has stayed behind.
NAIVE = """
import fcntl, subprocess, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()], start_new_session=True)
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def worker(code: str, lock: Path, length_s: str = "60") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", code, str(lock), media.FFMPEG, length_s]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


def holders(lock: Path) -> list[int]:
    """Processes that have the file open."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdecimal() and any(os.readlink(fd) == str(lock) for fd in (path / "fd").iterdir()):
                found.append(int(path.name))
        except OSError:
            continue  # gone meanwhile
    return found


def is_free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_ffmpeg_goes_with_its_worker_and_the_lock_with_ffmpeg(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with worker(WORKER, lock) as process:
        assert comes(lambda: len(holders(lock)) == 2)
        (child,) = {*holders(lock)} - {process.pid}
        assert not is_free(lock)
        process.kill()
        process.wait()
        assert gone(child, 1)
    assert comes(lambda: is_free(lock), 2)  # its other threads may be a moment behind the first
    assert holders(lock) == []


def test_at_any_instant(tmp_path: Path) -> None:
    """Many are killed while an FFmpeg is being started, which is when nothing may ties it to anybody yet."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance, lock = random.Random(seed), tmp_path / "lock"
    for _ in range(KILLS):
        with worker(WORKER, lock, "0.01") as process:
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.wait()
            assert comes(lambda: is_free(lock), 2)


def test_without_ties_it_would_stay(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with worker(NAIVE, lock) as process:
        process.kill()
        process.wait()
        (orphan,) = holders(lock)
        assert not is_free(lock)
        os.kill(orphan, signal.SIGKILL)
        assert comes(lambda: is_free(lock))


@pytest.mark.parametrize("look", ["clip", "thumbnail"])
def test_a_look_at_a_clip_goes_too(tmp_path: Path, look: str) -> None:
    lock, clip = tmp_path / "lock", media.clip(tmp_path / "a.mp4", seconds=2)
    thumbnail = "make_thumbnail(path, Timeline(270, 480, Fraction(30), 60, ()), path.with_suffix('.jpg'), ffmpeg)"
    call = "inspect_clip(path, ffmpeg)" if look == "clip" else thumbnail
    code = (
        "import fcntl, sys\nfrom fractions import Fraction\nfrom pathlib import Path\n"
        "from render.ffmpeg import FFmpeg\nfrom render.inspect import *\nfrom render.timeline import Timeline\n"
        "lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print('up', flush=True)\n"
        f"ffmpeg = FFmpeg(sys.argv[2], pass_fds=[lock.fileno()]); path = Path({str(clip)!r})\n"
        f"while True: {call}"
    )
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(5):
        with worker(code, lock) as process:
            time.sleep(chance.uniform(0, 0.8))
            process.kill()
            process.wait()
            assert comes(lambda: is_free(lock), 2)
