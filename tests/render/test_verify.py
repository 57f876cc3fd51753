"""A finished file that is not what was promised is refused, each promise by a file that breaks it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from render.errors import VerifyError
from render.ffmpeg import FFmpeg
from render.timeline import Timeline
from render.verify import verify
from tests import media

PROMISED = Timeline(width=270, height=480, rate=Fraction(30), frames=90, layers=(), quality="draft")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of picture and sound, a key frame each second."""
    video = ("-pix_fmt", "yuv420p", "-g", "30", "-movflags", "+faststart")
    return media.clip(tmp_path_factory.mktemp("film") / "f.mp4", seconds=3, sound_s=3, video=video)


def test_what_was_promised_passes(film: Path, ffmpeg: FFmpeg) -> None:
    verify(film, PROMISED, ffmpeg)


@pytest.mark.parametrize(
    ("promised", "says"),
    [
        ({"width": 480, "height": 270}, "270x480, not 480x270"),
        ({"frames": 91}, "90 frames, not 91"),
        ({"rate": Fraction(25)}, "lasts 3.00 s, not 3.60"),
    ],
)
def test_another_film_is_refused(film: Path, ffmpeg: FFmpeg, promised: dict[str, Any], says: str) -> None:
    with pytest.raises(VerifyError, match=says):
        verify(film, replace(PROMISED, **promised), ffmpeg)


@pytest.mark.parametrize("kept", ["v", "a"])
def test_a_missing_stream_is_refused(tmp_path: Path, film: Path, ffmpeg: FFmpeg, kept: str) -> None:
    media.run("-i", str(film), "-map", f"0:{kept}", "-c", "copy", str(tmp_path / "half.mp4"))
    with pytest.raises(VerifyError, match="lacks picture or sound"):
        verify(tmp_path / "half.mp4", PROMISED, ffmpeg)


def test_short_sound_is_refused(tmp_path: Path, film: Path, ffmpeg: FFmpeg) -> None:
    short = ("-map", "0:v", "-map", "1:a", "-c", "copy")
    media.run("-i", str(film), "-t", "2.5", "-i", str(film), *short, str(tmp_path / "short.mp4"))
    with pytest.raises(VerifyError, match=r"the sound lasts 2\.\d+ s, not 3\.00"):
        verify(tmp_path / "short.mp4", PROMISED, ffmpeg)


def test_a_cut_off_file_is_refused(tmp_path: Path, film: Path, ffmpeg: FFmpeg) -> None:
    data = film.read_bytes()
    for name, kept in (("half", len(data) // 2), ("almost", len(data) - 300), ("head", 20), ("empty", 0)):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(data[:kept])
        with pytest.raises(VerifyError):
            verify(path, PROMISED, ffmpeg)


def test_damage_in_the_last_second_is_refused(tmp_path: Path, film: Path, ffmpeg: FFmpeg) -> None:
    data = bytearray(film.read_bytes())
    start = len(data) * 9 // 10
    data[start : start + 2_000] = bytes(byte ^ 0xA5 for byte in data[start : start + 2_000])
    (tmp_path / "damaged.mp4").write_bytes(data)
    with pytest.raises(VerifyError):
        verify(tmp_path / "damaged.mp4", PROMISED, ffmpeg)


def test_picture_and_sound_begin_together(tmp_path: Path, film: Path, ffmpeg: FFmpeg) -> None:
    shifted = tmp_path / "shifted.mp4"
    late = ("-itsoffset", "0.8", "-i", str(film), "-map", "0:v", "-map", "1:a", "-c", "copy")
    media.run("-i", str(film), *late, str(shifted))
    with pytest.raises(VerifyError, match="begin together"):
        verify(shifted, PROMISED, ffmpeg)
