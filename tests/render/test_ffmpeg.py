"""The runner: progress, limits, and that nothing is left running. The children are real FFmpegs and real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from render.errors import (
    Cancelled,
    FFmpegFailed,
    FFmpegLost,
    FFmpegOutOfMemory,
    FFmpegStalled,
    FFmpegTimeout,
    NoSpace,
)
from render.ffmpeg import FFmpeg, Watch
from render.sandbox import MIB, Limits
from tests import media
from tests.processes import alive, gone

ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-f", "null", "-"]


def script(path: Path, body: str) -> str:
    """Write an executable that stands where FFmpeg is expected."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_version(ffmpeg: FFmpeg) -> None:
    assert ffmpeg.version().lstrip("n")[0].isdigit()


def test_run_reports_frames_and_usage(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    seen: list[int] = []
    out = tmp_path / "a.mp4"
    usage = ffmpeg.run(
        ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-frames:v", "90", str(out)],
        Watch(seen.append),
        writes=tmp_path,
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
        ffmpeg.watched(pids.exists).run([], Watch(), writes=tmp_path)
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_stall_is_noticed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ffmpeg = FFmpeg(script(tmp_path / "ffmpeg", f"echo $$ > {pids}; echo frame=1; exec sleep 60"))
    with pytest.raises(FFmpegStalled):
        ffmpeg.run([], Watch(stall_s=0.5), writes=tmp_path)
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
    ffmpeg.feed(args, (bytes([n]) * 4096 for n in range(30)), wall_s=30, writes=tmp_path)
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
    code = (
        "import sys; from pathlib import Path; from render.ffmpeg import FFmpeg, Watch\n"
        "FFmpeg(sys.argv[1]).run([], Watch(), writes=Path(sys.argv[2]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, fake, str(tmp_path)], cwd=Path(__file__).parents[2])
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
    with pytest.raises(FFmpegLost, match="signal 9") as caught:
        ffmpeg.capture([], wall_s=20)
    assert (caught.value.code, caught.value.permanent) == ("out_of_memory", False)
    with pytest.raises(FFmpegLost, match="signal 9"):
        ffmpeg.run([], Watch())
    with pytest.raises(FFmpegLost, match="signal 15") as caught:
        FFmpeg(script(tmp_path / "other", "kill -15 $$")).capture([], wall_s=20)
    assert caught.value.code == "ffmpeg_lost"


def test_a_crash_is_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(FFmpegFailed, match="signal 11"):
        FFmpeg(script(tmp_path / "ffmpeg", "kill -SEGV $$")).capture([], wall_s=20)


def test_an_executable_of_another_kind_is_no_verdict(tmp_path: Path) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_bytes(b"\x7fELF" + bytes(100))
    broken.chmod(0o755)
    with pytest.raises(FFmpegLost, match="cannot be started"):
        FFmpeg(str(broken)).version()


@pytest.mark.parametrize("where", ["run", "capture", "feed"])
def test_a_cancelled_run_is_gone_soon(tmp_path: Path, where: str) -> None:
    pids = tmp_path / "pids"
    fake = script(tmp_path / "ffmpeg", f"sleep 60 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait")
    ffmpeg = FFmpeg(fake).watched(pids.exists)
    started = time.monotonic()
    calls: dict[str, Callable[[], object]] = {
        "run": lambda: ffmpeg.run([], Watch(), writes=tmp_path),
        "capture": lambda: ffmpeg.capture([], wall_s=60, writes=tmp_path),
        # It never reads: the pipe is full after 64 kB.
        "feed": lambda: ffmpeg.feed([], iter(lambda: bytes(1000), b""), wall_s=60, writes=tmp_path),
    }
    with pytest.raises(Cancelled):
        calls[where]()
    assert time.monotonic() - started < 30  # of 60
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_watching_a_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    fake = FFmpeg(script(tmp_path / "ffmpeg", "echo ffmpeg version 7"), pass_fds=(), niceness=1)
    other = fake.watched(lambda: True)
    assert (other.executable, other.niceness) == (fake.executable, 1)
    assert fake.version() == "7"
    with pytest.raises(Cancelled):
        other.version()


def test_not_enough_memory(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    args = ["-f", "lavfi", "-i", "testsrc2=size=1080x1920:rate=30", "-frames:v", "30", "-c:v", "libx264"]
    with pytest.raises(FFmpegOutOfMemory) as caught:
        ffmpeg.run([*args, str(tmp_path / "a.mp4")], Watch(), writes=tmp_path, limits=Limits(memory_bytes=300 * MIB))
    assert (caught.value.code, caught.value.permanent) == ("out_of_memory", False)


def test_a_full_disk_is_called_so(ffmpeg: FFmpeg) -> None:
    full = Path("/dev/full")  # whatever is written to it fails as on a full disk
    args = ["-y", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-frames:v", "90", "-f", "mpegts", str(full)]
    with pytest.raises(NoSpace) as caught:
        ffmpeg.run(args, Watch(), writes=full)
    assert (caught.value.code, caught.value.permanent) == ("no_space", False)


def test_too_large_a_file(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    args = ["-y", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=60", "-c:v", "rawvideo"]
    with pytest.raises(FFmpegFailed, match="more than 3 MB"):
        ffmpeg.run([*args, str(tmp_path / "a.nut")], Watch(), writes=tmp_path, limits=Limits(file_bytes=3 * MIB))
    assert (tmp_path / "a.nut").stat().st_size == 3 * MIB


def test_too_much_cpu_time() -> None:
    burning = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "null", "-"]
    with pytest.raises(FFmpegTimeout, match="CPU"):
        FFmpeg(media.FFMPEG).run(burning, Watch(wall_s=120), limits=Limits(cpu_s=1))


def test_more_output_than_can_be_kept(tmp_path: Path) -> None:
    with pytest.raises(FFmpegFailed, match="larger than 64 MB"):
        FFmpeg(script(tmp_path / "ffmpeg", "exec cat /dev/zero")).capture([], wall_s=60)


def test_the_environment_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIX_CANARY", "secret")
    monkeypatch.setenv("AV_LOG_FORCE_COLOR", "1")
    seen = FFmpeg(script(tmp_path / "ffmpeg", "env")).capture([], wall_s=20).stdout.decode()
    assert "VIX_CANARY" not in seen
    assert "AV_LOG_FORCE_COLOR" not in seen
