"""The runner: progress, limits, and that nothing is left running. The children are real FFmpegs and real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from render.errors import Cancelled, FFmpegFailed, FFmpegLost, FFmpegStalled, FFmpegTimeout
from render.ffmpeg import FFmpeg, Watch
from tests import media

ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-f", "null", "-"]


def script(path: Path, body: str) -> str:
    """Write an executable that stands where FFmpeg is expected."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_version(ffmpeg: FFmpeg) -> None:
    assert ffmpeg.version().lstrip("n")[0].isdigit()


def test_run_reports_frames_and_usage(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    seen: list[int] = []
    out = tmp_path / "a.mp4"
    usage = ffmpeg.run(
        ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-frames:v", "90", str(out)], Watch(seen.append)
    )
    assert usage.frames == 90
    assert seen[-1] == 90
    assert seen == sorted(seen)
    assert usage.cpu_s > 0
    assert usage.peak_rss_mb > 10
    assert out.stat().st_size > 0


def test_progress_comes_at_least_once_a_second(ffmpeg: FFmpeg) -> None:
    times: list[float] = []
    args = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-t", "3", "-f", "null", "-"]
    ffmpeg.run(args, Watch(lambda frame: times.append(time.monotonic())))
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) >= 4
    assert sorted(gaps)[len(gaps) // 2] < 1.0


def test_failure_keeps_the_last_lines(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    with pytest.raises(FFmpegFailed) as caught:
        ffmpeg.run(["-i", f"file:{tmp_path}/none.mp4", "-f", "null", "-"], Watch())
    assert "No such file" in caught.value.tail
    assert str(tmp_path) not in str(caught.value)


def test_missing_executable() -> None:
    with pytest.raises(FFmpegLost, match="cannot be started"):
        FFmpeg("/nonexistent/ffmpeg").version()


def test_cancel_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ffmpeg = FFmpeg(script(tmp_path / "ffmpeg", f"sleep 60 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait"))
    with pytest.raises(Cancelled):
        ffmpeg.run([], Watch(cancelled=pids.exists))
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_stall_is_noticed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ffmpeg = FFmpeg(script(tmp_path / "ffmpeg", f"echo $$ > {pids}; echo frame=1; exec sleep 60"))
    with pytest.raises(FFmpegStalled):
        ffmpeg.run([], Watch(stall_s=0.5))
    assert gone(int(pids.read_text()))


def test_repeating_the_same_frame_is_a_stall(tmp_path: Path) -> None:
    ffmpeg = FFmpeg(script(tmp_path / "ffmpeg", "while :; do echo frame=7; sleep 0.1; done"))
    with pytest.raises(FFmpegStalled):
        ffmpeg.run([], Watch(stall_s=0.5, wall_s=20))


def test_wall_clock_limit(ffmpeg: FFmpeg) -> None:
    with pytest.raises(FFmpegTimeout):
        ffmpeg.run(ENDLESS, Watch(wall_s=1))


def test_capture_limits_and_checks(ffmpeg: FFmpeg) -> None:
    assert b"Universal" in ffmpeg.capture(["-h"], wall_s=20).stdout
    with pytest.raises(FFmpegTimeout):
        ffmpeg.capture(ENDLESS, wall_s=0.5)
    with pytest.raises(FFmpegFailed):
        ffmpeg.capture(["-i", "file:/nonexistent"], wall_s=20)


def test_feed_writes_standard_input(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    out = tmp_path / "a.mp4"
    args = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x64", "-r", "30", "-i", "pipe:0", str(out)]
    ffmpeg.feed(args, (bytes([n]) * 4096 for n in range(30)), wall_s=30)
    assert media.frames(out, 64, 64, pixels="gray").shape[0] == 30


def test_feed_tells_why_it_failed(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    with pytest.raises(FFmpegFailed) as caught:
        ffmpeg.feed(
            ["-f", "nonsense", "-i", "pipe:0", "-f", "null", "-"], (bytes(1000) for _ in range(1000)), wall_s=30
        )
    assert "nonsense" in caught.value.tail


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    fake = script(tmp_path / "ffmpeg", f"echo $$ > {pids}.part; mv {pids}.part {pids}; exec sleep 60")
    code = f"from render.ffmpeg import FFmpeg, Watch; FFmpeg({fake!r}).run([], Watch())"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 20
    while not pids.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(pids.read_text())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(child)


def test_killed_from_outside_is_no_verdict(tmp_path: Path) -> None:
    ffmpeg = FFmpeg(script(tmp_path / "ffmpeg", "kill -9 $$"))
    with pytest.raises(FFmpegLost, match="signal 9"):
        ffmpeg.capture([], wall_s=20)
    with pytest.raises(FFmpegLost, match="signal 9"):
        ffmpeg.run([], Watch())


def test_the_environment_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIX_CANARY", "secret")
    monkeypatch.setenv("AV_LOG_FORCE_COLOR", "1")
    seen = FFmpeg(script(tmp_path / "ffmpeg", "env")).capture([], wall_s=20).stdout.decode()
    assert "VIX_CANARY" not in seen
    assert "AV_LOG_FORCE_COLOR" not in seen
