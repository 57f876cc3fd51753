"""Probing files as users have them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from render.errors import MediaError
from render.ffmpeg import FFmpeg
from render.probe import probe
from tests import media


def test_size_rate_and_length(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    info = probe(media.clip(tmp_path / "a.mp4", size="320x240", rate="30000/1001", seconds=1), ffmpeg)
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.frames) == (320, 240, 30)
    assert info.video.rate == Fraction(30000, 1001)
    assert info.audio is None


def test_sound_longer_than_the_picture(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    info = probe(media.clip(tmp_path / "a.mp4", seconds=1, sound_s=3), ffmpeg)
    assert info.video is not None
    assert info.audio is not None
    assert info.video.duration_s == 1
    assert float(info.audio.duration_s) == pytest.approx(3, abs=0.1)


def test_matroska_without_a_frame_count(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    info = probe(media.clip(tmp_path / "a.mkv", rate="25", seconds=2), ffmpeg)
    assert info.video is not None
    assert info.video.frames == 50
    assert float(info.video.duration_s) == pytest.approx(2, abs=0.05)
    assert float(info.video.rate) == pytest.approx(25, abs=0.05)


@pytest.mark.parametrize("degrees", [90, -90])
def test_rotated_clips_are_upright(tmp_path: Path, ffmpeg: FFmpeg, degrees: int) -> None:
    flat = media.clip(tmp_path / "a.mp4", size="320x180", seconds=0.5)
    video = probe(media.rotated(flat, tmp_path / "b.mp4", degrees), ffmpeg).video
    assert video is not None
    assert (video.width, video.height) == (180, 320)


def test_full_range_and_matrix(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    full = probe(media.clip(tmp_path / "a.mp4", seconds=0.5, video=("-pix_fmt", "yuvj420p")), ffmpeg).video
    tagged = probe(
        media.clip(tmp_path / "b.mp4", seconds=0.5, filters=("setparams=colorspace=bt709:range=tv",)), ffmpeg
    )
    assert full is not None
    assert full.full_range
    assert full.matrix == "smpte170m"
    assert tagged.video is not None
    assert (tagged.video.matrix, tagged.video.full_range) == ("bt709", False)


def test_untagged_matrix_follows_size(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    video = probe(media.clip(tmp_path / "a.mp4", size="720x1280", seconds=0.2), ffmpeg).video
    assert video is not None
    assert video.matrix == "bt709"


def test_high_dynamic_range(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    tags = ("format=yuv420p10le", "setparams=color_trc=arib-std-b67:colorspace=bt2020nc:color_primaries=bt2020")
    video = probe(media.clip(tmp_path / "a.mkv", seconds=0.2, video=(), filters=tags), ffmpeg).video
    assert video is not None
    assert (video.hdr, video.matrix) == ("hlg", "bt2020nc")


def test_sound_only(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    info = probe(media.tone(tmp_path / "a.wav", seconds=2), ffmpeg)
    assert info.video is None
    assert info.audio is not None
    assert float(info.audio.duration_s) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("content", [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", bytes(5000)])
def test_what_is_no_media(tmp_path: Path, ffmpeg: FFmpeg, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.mp4"):
        probe(path, ffmpeg)


def test_a_playlist_named_like_a_clip_opens_nothing_else(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    media.clip(tmp_path / "other.ts", seconds=0.5)
    path = tmp_path / "clip.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'other.ts'}\n")
    with pytest.raises(MediaError):
        probe(path, ffmpeg)


@pytest.mark.parametrize("name", ["http:x.mp4", "-y.mp4", "a%03d.mp4", "a b'c;[x],.mp4", "ü\udc80.mp4"])
def test_odd_names_are_just_names(tmp_path: Path, ffmpeg: FFmpeg, name: str) -> None:
    media.clip(tmp_path / "plain.mp4", seconds=0.2).rename(tmp_path / name)
    assert probe(tmp_path / name, ffmpeg).video is not None


def test_a_title_cannot_stand_in_for_the_picture(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip, lying = media.clip(tmp_path / "plain.mp4", "testsrc2", seconds=1), tmp_path / "lying.mkv"
    title = "_showinfo_x] n:   0 fmt:yuv420p sar:1/0 s:900000x900000"
    other = "[Parsed_showinfo_0 @ 0x55] n:   0 fmt:yuv420p sar:1/1 s:9x9"
    media.run("-i", str(clip), "-c", "copy", "-metadata", f"title={title}", "-metadata", f"artist={other}", str(lying))
    plain, found = probe(clip, ffmpeg).video, probe(lying, ffmpeg).video
    assert plain is not None
    assert found is not None
    assert (found.width, found.height, found.sar) == (plain.width, plain.height, plain.sar)


def test_a_title_cannot_fake_a_full_disk(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    broken = tmp_path / "broken.mkv"
    clip = media.clip(tmp_path / "plain.mp4", "testsrc2", seconds=1)
    title = "No space left on device"
    media.run("-i", str(clip), "-c", "copy", "-metadata", f"title={title}", "-bsf:v", "noise=amount=1", str(broken))
    try:
        probe(broken, ffmpeg)
    except MediaError:
        return  # broken is what it is; NoSpace would end the test here
