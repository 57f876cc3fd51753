"""Row 7: FFmpeg is killed, as where memory runs out, or comes to its limit. The worker lives and says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from render.errors import FFmpegLost, FFmpegOutOfMemory
from render.executor import render
from render.ffmpeg import FFmpeg, Watch
from render.inspect import inspect_clip
from render.sandbox import MIB, Limits
from tests import media
from tests.render.films import compiled


def children() -> list[int]:
    """Of this process, by whichever thread."""
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for path in lists for pid in path.read_text().split()]


def test_killed_in_the_middle_of_a_film(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", seconds=4)
    timeline = compiled({"video": {"duration": 60}, "output": {"width": 270, "height": 480}}, [clip], ffmpeg)
    work, out = tmp_path / "work", tmp_path / "film.mp4"
    work.mkdir()
    before = set(children())

    def kill(share: float) -> None:
        for pid in set(children()) - before:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(FFmpegOutOfMemory) as caught:
        render(timeline, out, work, ffmpeg, on_progress=kill)
    assert (caught.value.code, caught.value.permanent) == ("out_of_memory", False)
    assert not out.exists()
    render(timeline, out, work, ffmpeg)
    assert out.exists()


def test_at_its_limit(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    args = ["-f", "lavfi", "-i", "testsrc2=size=1080x1920:rate=30", "-frames:v", "30", "-c:v", "libx264"]
    out = tmp_path / "a.mp4"
    with pytest.raises(FFmpegOutOfMemory) as caught:
        ffmpeg.run(["-y", *args, str(out)], Watch(), writes=tmp_path, limits=Limits(memory_bytes=300 * MIB))
    assert caught.value.code == "out_of_memory"
    ffmpeg.run(["-y", *args, str(out)], Watch(), writes=tmp_path)


def test_killed_in_a_look_it_is_no_verdict_on_the_clip(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", seconds=4)
    before = set(children())

    def kill() -> bool:
        for pid in set(children()) - before:
            os.kill(pid, signal.SIGKILL)
        return False

    with pytest.raises(FFmpegLost):
        inspect_clip(clip, ffmpeg.watched(kill))
    assert inspect_clip(clip, ffmpeg).defect == ""
