"""Row 21: files made to trick or break a reader. Each gives a film or a reason, in bounded time and memory, and nothing
is read that was not named."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from render import landlock
from render.errors import FFmpegFailed, TextError
from render.ffmpeg import FFmpeg, source
from render.sandbox import Limits, Sandbox, start
from render.text import picture
from tests import media
from tests.faults import hostile

ROOT = Path(__file__).parents[2]
MOST_MB = 400
RED = b"\xfe\x00\x00"  # what is left of it by YUV
ONE_PX = ["-frames:v", "1", "-vf", "scale=1:1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]


@dataclass(frozen=True)
class Corpus:
    """Hostile files by sort, the files they must not lead to, and a listener that nobody may call."""

    other: Path
    tricks: list[Path]
    broken: list[Path]
    named: list[Path]
    listener: socket.socket

    def was_called(self) -> bool:
        try:
            self.listener.accept()
        except BlockingIOError:
            return False
        return True


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    root, seed = tmp_path_factory.mktemp("hostile"), secrets.randbits(32)
    print(f"seed {seed}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        hostile.make_canary(root / "other")
        tricks = hostile.make_tricks(root / "tricks", root / "other", listener.getsockname()[1])
        broken, named = hostile.make_broken(root / "broken", seed), hostile.make_named(root / "named")
        yield Corpus(root / "other", tricks, broken, named, listener)


def looked_at(paths: list[Path], work: Path, *before: str) -> tuple[dict[Path, str], float]:
    """What came of each file, and the most memory of any process in MB."""
    command: list[str | Path] = [*before, sys.executable, "-m", "tests.faults.looker", work, *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return dict(zip(paths, answer["outcomes"], strict=True)), answer["peak_mb"]


def test_there_are_enough_of_them(corpus: Corpus) -> None:
    assert len(corpus.tricks) + len(corpus.broken) + len(corpus.named) >= 60


def test_tricks_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    outcomes, peak_mb = looked_at(corpus.tricks, tmp_path)
    assert {path.name: what for path, what in outcomes.items() if not what.startswith("refused: ")} == {}
    assert peak_mb < MOST_MB
    assert not corpus.was_called()


def test_broken_files_end_well(corpus: Corpus, tmp_path: Path) -> None:
    outcomes, peak_mb = looked_at(corpus.broken, tmp_path)
    print(outcomes)
    # A clip that looks well may show only in a film that it is not. All else would be this program's fault.
    fair = r"film|refused: .+|ClipEndedEarly: .+|FFmpegFailed: .+|VerifyError: .+|MediaError: .+|NoClips: .+"
    assert {path.name: what for path, what in outcomes.items() if not re.fullmatch(fair, what)} == {}
    assert sum(what == "film" for what in outcomes.values()) < len(outcomes)
    assert peak_mb < MOST_MB


def test_names_are_only_names(corpus: Corpus, tmp_path: Path) -> None:
    outcomes, _ = looked_at(corpus.named, tmp_path)
    assert {ascii(path.name): what for path, what in outcomes.items() if what != "film"} == {}


def test_pictures_are_opened_by_their_content_and_size(corpus: Corpus) -> None:
    for path in (*corpus.tricks, *corpus.broken):
        if path.suffix == ".png" and "bomb" not in path.name:
            continue
        with pytest.raises(TextError):
            picture(path)
    assert picture(next(path for path in corpus.broken if path.name == "tall.png")).size == (1, 100_000)


def test_ffmpeg_alone_falls_for_them(corpus: Corpus) -> None:
    """What the rest of this file is worth: without the guards, other files are read."""
    fooled = {path.name for path in corpus.tricks if hostile.unguarded(path).stdout == RED}
    assert fooled >= {"concat-beside.mp4", "hls-beside.m3u8", "hls-absolute.m3u8"}


def test_lists_of_formats_and_protocols_suffice_by_themselves(corpus: Corpus) -> None:
    """Without any sandbox, as on a kernel without Landlock."""
    for path in corpus.tricks:
        command = [media.FFMPEG, "-v", "error", "-nostdin", *source(path), *ONE_PX]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (path.name, done.returncode != 0, done.stdout) == (path.name, True, b"")
    assert not corpus.was_called()


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
def test_the_sandbox_suffices_by_itself(corpus: Corpus, ffmpeg: FFmpeg) -> None:
    """Without lists of formats and protocols: what a trick names is not among the files that may be read."""
    for path in corpus.tricks:
        bare = ["-v", "error", "-i", f"file:{path}", *ONE_PX]
        try:
            seen = ffmpeg.capture(bare, wall_s=60).stdout
        except FFmpegFailed:
            seen = b""
        assert (path.name, seen) != (path.name, RED)
    # And it is the sandbox that does it.
    trick = next(path for path in corpus.tricks if path.name == "concat-beside.mp4")
    command = [ffmpeg.executable, "-v", "error", "-nostdin", "-i", f"file:{trick}", *ONE_PX]
    for reads, expected in (((trick,), b""), ((trick.parent,), RED)):
        child = start(command, Sandbox(runs=ffmpeg.programs(), reads=reads), Limits())
        out, _ = child.communicate(timeout=60)
        child.end()
        assert out == expected
    assert landlock.abi() < 4 or not corpus.was_called()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_saw_nothing_else_opened(corpus: Corpus, tmp_path: Path) -> None:
    log = tmp_path / "log"
    tricks = [path for path in corpus.tricks if re.match(r"concat-beside|concat-abs|hls-beside|hls-abs", path.name)]
    looked_at(tricks, tmp_path, "strace", "-f", "-qq", "-s", "4096", "-e", "trace=open,openat,connect", "-o", str(log))
    lines = log.read_text(errors="replace").splitlines()
    opened = [line for line in lines if not re.search(r"= -1 E|O_PATH", line)]
    assert any(f'{tricks[0]}"' in line for line in opened)
    assert [line for line in opened if re.search(r"other\.(mp4|ts)", line)] == []
    assert [line for line in lines if "connect(" in line and "AF_INET" in line] == []
