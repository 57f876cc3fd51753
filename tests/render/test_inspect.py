"""Real clips, looked at in a process of their own: what is refused, where the eye goes, which frame is a thumbnail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from render.errors import Cancelled, FFmpegLost
from render.ffmpeg import FFmpeg
from render.inspect import Inspection, inspect_clip, make_thumbnail
from render.timeline import Timeline
from tests import media
from tests.processes import gone


def looked(path: Path, ffmpeg: FFmpeg) -> Inspection:
    return inspect_clip(path, ffmpeg)


def test_a_good_clip_has_no_defect(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    found = looked(media.clip(tmp_path / "a.mp4", rate="60", seconds=2), ffmpeg)
    assert found.defect == ""
    assert found.info is not None
    assert found.info.video is not None
    assert (found.info.video.frames, found.info.audio) == (120, None)
    assert found.info.video.rate == 60


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.mp4", b"this is no film", "broken"),
        ("empty.mp4", b"", "broken"),
        ("list.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "broken"),
        ("playlist.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nother.ts\n#EXT-X-ENDLIST\n", "broken"),
        ("noise.mkv", os.urandom(4096), "broken"),
    ],
)
def test_what_is_no_film_is_broken(tmp_path: Path, ffmpeg: FFmpeg, name: str, content: bytes, says: str) -> None:
    media.clip(tmp_path / "other.mp4")
    (tmp_path / name).write_bytes(content)
    found = looked(tmp_path / name, ffmpeg)
    assert says in found.defect
    assert found.info is None
    assert str(tmp_path) not in found.defect


def test_a_clip_cut_off_before_its_index_is_broken(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    whole = media.clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert "broken" in looked(tmp_path / "cut.mp4", ffmpeg).defect


def test_a_clip_cut_off_that_can_be_read_is_as_long_as_what_is_there(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    whole = media.clip(tmp_path / "whole.mkv", seconds=4).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    found = looked(tmp_path / "cut.mkv", ffmpeg)
    assert found.defect == ""
    assert found.info is not None
    assert found.info.video is not None
    assert 1 < found.info.video.duration_s < 3


@pytest.mark.parametrize("color", ["black", "0x101010", "white", "0x3366aa"])
def test_one_colour_is_refused(tmp_path: Path, ffmpeg: FFmpeg, color: str) -> None:
    assert "one colour" in looked(media.clip(tmp_path / "a.mp4", f"color=c={color}", seconds=2), ffmpeg).defect


def test_a_still_picture_is_refused_and_a_slow_one_is_not(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    assert "does not move" in looked(media.clip(tmp_path / "still.mp4", "smptebars", seconds=3), ffmpeg).defect
    # Without colours and ends of their own gradients are another picture each time, whatever the seed.
    gradients = "gradients=speed=0.02:nb_colors=2:c0=navy:c1=orange:x0=20:y0=40:x1=250:y1=440"
    slow = media.clip(tmp_path / "slow.mp4", gradients, seconds=3)
    assert looked(slow, ffmpeg).defect == ""


def test_too_short_is_refused(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    assert "too short: 0.90 s" in looked(media.clip(tmp_path / "a.mp4", seconds=0.9), ffmpeg).defect
    assert looked(media.clip(tmp_path / "b.mp4", seconds=1), ffmpeg).defect == ""


def test_only_sound_is_refused(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    assert "no picture" in looked(media.tone(tmp_path / "a.wav"), ffmpeg).defect
    assert "no picture" in looked(media.tone(tmp_path / "a.m4a"), ffmpeg).defect


def test_a_sound_longer_than_the_picture_lengthens_nothing(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    found = looked(media.clip(tmp_path / "a.mp4", seconds=2, sound_s=6), ffmpeg)
    assert found.defect == ""
    assert found.info is not None
    assert found.info.video is not None
    assert found.info.audio is not None
    assert found.info.video.duration_s == 2
    assert found.info.audio.duration_s > Fraction(59, 10)


@pytest.mark.parametrize("at", [0.15, 0.5, 0.85])
@pytest.mark.parametrize("seconds", [2, 14], ids=["in one pass", "by seeking"])
def test_the_eye_goes_to_what_moves_in_a_landscape(tmp_path: Path, ffmpeg: FFmpeg, at: float, seconds: float) -> None:
    # Something colourful that sways around `at` of the width, before a dull wall.
    sway = f"overlay=x='W*{at}-24+12*sin(6*t)':y=80"
    it = f"testsrc2=size=48x64:rate=30:duration={seconds}"
    before = ("format=yuv420p", f"noise=alls=6[wall];{it}[it];[wall][it]{sway}")
    path = media.clip(tmp_path / "a.mp4", "color=c=0x405060", size="426x240", seconds=seconds, filters=before)
    found = looked(path, ffmpeg)
    assert found.defect == ""
    half = 240 * 9 / 16 / 2 / 426
    assert max(half, min(1 - half, found.focus[0])) == pytest.approx(max(half, min(1 - half, at)), abs=0.08)


def test_a_turned_phone_clip_is_looked_at_upright(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    lying = media.clip(tmp_path / "lying.mp4", size="480x270")
    found = looked(media.rotated(lying, tmp_path / "turned.mp4", 90), ffmpeg)
    assert found.defect == ""
    assert found.info is not None
    assert found.info.video is not None
    assert (found.info.video.width, found.info.video.height) == (270, 480)


@pytest.mark.parametrize(("rate", "suffix"), [("10", "mp4"), ("120", "mp4"), ("30000/1001", "mkv"), ("24", "avi")])
def test_odd_clips_are_good_clips(tmp_path: Path, ffmpeg: FFmpeg, rate: str, suffix: str) -> None:
    assert looked(media.clip(tmp_path / f"a.{suffix}", rate=rate, seconds=1.5), ffmpeg).defect == ""


def test_names_are_only_names(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    for name in ("-y.mp4", "a%03d.mp4", "http:x.mp4", "new\nline.mp4", "a'b;c.mp4", "caf\udce9.mp4"):
        assert looked(media.clip(tmp_path / "plain.mp4", seconds=1).rename(tmp_path / name), ffmpeg).defect == ""


def test_a_look_that_cannot_be_taken_says_nothing_about_the_clip(tmp_path: Path) -> None:
    clip = media.clip(tmp_path / "a.mp4")
    with pytest.raises(FFmpegLost, match=r"a\.mp4"):
        make_thumbnail(clip, timeline(60), tmp_path / "t.jpg", FFmpeg("/nonexistent/ffmpeg"))
    with pytest.raises(FFmpegLost, match=r"a\.mp4"):
        inspect_clip(clip, FFmpeg("/nonexistent/ffmpeg"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def film(path: Path, *sources: str) -> Path:
    """Two seconds of each source, every one beginning with a key frame, as our films have them."""
    graphs = [f"{source}:size=270x480:rate=30:duration=2" for source in sources]
    inputs = [word for graph in graphs for word in ("-f", "lavfi", "-i", graph)]
    joined = f"concat=n={len(sources)}:v=1:a=0,format=yuv420p"
    media.run(*inputs, "-filter_complex", joined, "-c:v", "libx264", "-g", "60", "-sc_threshold", "0", str(path))
    return path


def timeline(frames: int, **more: Any) -> Timeline:
    """What such a film was made of, as far as it matters here."""
    return Timeline(270, 480, Fraction(30), frames, (), **more)


def shown(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (270, 480))
        return np.asarray(picture.convert("RGB"))


def nearest(path: Path, picture: NDArray[np.uint8]) -> int:
    """The frame of a film that a picture is most like."""
    frames = media.frames(path, 270, 480).astype(np.int16)
    apart = np.abs(frames - picture.astype(np.int16)).mean(axis=(1, 2, 3))
    assert apart.min() < 12
    return int(apart.argmin())


def test_the_thumbnail_is_a_good_frame_at_full_size(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    path = film(tmp_path / "film.mp4", "color=c=black", "testsrc2=alpha=255", "color=c=white")
    make_thumbnail(path, timeline(180), tmp_path / "t.jpg", ffmpeg)
    picture = shown(tmp_path / "t.jpg")
    assert 60 <= nearest(path, picture) < 120
    assert picture.std() > 40
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("rate", [30, 24, 17])
@pytest.mark.parametrize("frame", [0, 1, 31, 32, 47])
def test_the_thumbnail_is_the_frame_that_was_asked_for(tmp_path: Path, ffmpeg: FFmpeg, frame: int, rate: int) -> None:
    # Each frame's grey is its number.
    count = ("geq=lum='16+N*4':cb=128:cr=128",)
    coded = ("-c:v", "libx264", "-qp", "0", "-g", "32", "-bf", "2")
    path = media.clip(
        tmp_path / "f.mp4", "color=c=black", rate=str(rate), seconds=48 / rate, filters=count, video=coded
    )
    make_thumbnail(path, replace(timeline(48, thumbnail=frame), rate=Fraction(rate)), tmp_path / "t.jpg", ffmpeg)
    luma = (shown(tmp_path / "t.jpg").mean() / 255 * 219) / 4
    assert luma == pytest.approx(frame, abs=0.4)


def test_a_black_film_has_a_thumbnail_too(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    make_thumbnail(film(tmp_path / "film.mp4", "color=c=black"), timeline(60), tmp_path / "t.jpg", ffmpeg)
    assert (tmp_path / "t.jpg").stat().st_size > 100


def test_the_caller_loads_nothing_heavy(tmp_path: Path) -> None:
    clip = media.clip(tmp_path / "a.mp4")
    code = (
        "import sys; from pathlib import Path;"
        "from render.ffmpeg import FFmpeg; from render.inspect import inspect_clip;"
        f"assert inspect_clip(Path({str(clip)!r}), FFmpeg({media.FFMPEG!r})).defect == '';"
        "print([name for name in ('numpy', 'cv2', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("look", ["clip", "thumbnail"])
def test_a_cancelled_look_is_gone_soon_with_all_that_it_has_started(tmp_path: Path, look: str) -> None:
    pids, clip = tmp_path / "pids", media.clip(tmp_path / "a.mp4")
    fake = tmp_path / "ffmpeg"
    # Stands for an FFmpeg that takes long. It may write nothing, so its children are found by their arguments.
    length_s = f"60.{os.getpid()}"
    fake.write_text(f"#!/bin/sh\nsleep {length_s} & sleep {length_s}; true\n")
    fake.chmod(0o755)

    def sleepers() -> list[int]:
        found = []
        for path in Path("/proc").iterdir():
            try:
                words = (path / "cmdline").read_bytes().split(b"\0") if path.name.isdecimal() else []
            except OSError:
                continue
            if words[:2] == [b"sleep", length_s.encode()]:
                found.append(int(path.name))
        return found

    def begun() -> bool:
        if found := sleepers():
            pids.write_text(" ".join(map(str, found)))
        return len(found) == 2

    ffmpeg = FFmpeg(str(fake)).watched(begun)
    calls: dict[str, Callable[[], object]] = {
        "clip": lambda: inspect_clip(clip, ffmpeg),
        "thumbnail": lambda: make_thumbnail(clip, timeline(60), tmp_path / "t.jpg", ffmpeg),
    }
    with pytest.raises(Cancelled):
        calls[look]()
    assert len(pids.read_text().split()) == 2
    assert all(gone(int(pid), 2) for pid in pids.read_text().split())
