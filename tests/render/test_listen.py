"""Tracks of every sort, listened to: loudness against FFmpeg's own sum, silence, seams, what is no track."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from render.errors import MediaError
from render.ffmpeg import FFmpeg
from render.listen import Track, joins, listen
from render.loudness import integrated_lufs, repeated
from tests import media

Wave = NDArray[np.float32]


def soft_then_loud(rate: int = 48_000) -> Wave:
    """Nine seconds, of which the first three are a quarter as loud."""
    wave = media.music(9, rate=rate)
    wave[: 3 * rate] /= 4
    return wave


@pytest.fixture(scope="module")
def music() -> Wave:
    return soft_then_loud()


STEREO = "aresample=48000,aformat=channel_layouts=stereo"


@pytest.mark.parametrize(
    ("name", "rate", "codec"),
    [
        ("a.wav", 48_000, ("-c:a", "pcm_s16le")),
        ("eight-bit.wav", 22_050, ("-c:a", "pcm_u8")),
        ("fine.flac", 192_000, ()),
        ("vbr.mp3", 44_100, ("-q:a", "4")),
        ("a.m4a", 44_100, ("-c:a", "aac")),
        ("a.ogg", 48_000, ("-c:a", "libvorbis")),
        ("a.opus", 48_000, ("-c:a", "libopus")),
    ],
)
def test_loudness_of_any_part_is_what_the_meter_says_of_that_part(
    tmp_path: Path, ffmpeg: FFmpeg, name: str, rate: int, codec: tuple[str, ...]
) -> None:
    path = media.sound(tmp_path / name, soft_then_loud(rate), *codec, rate=rate)
    track = listen(path, ffmpeg)
    assert track.end_s is not None
    assert float(track.end_s) == pytest.approx(9, abs=0.06)
    assert not track.mono
    for part in (0.3, 0.6, 1.0):
        whole = media.loudness(path, f"atrim=duration={part * 9:.3f}", STEREO)
        found = integrated_lufs(repeated(track.blocks_lufs, Fraction(part * 9)))
        assert found == pytest.approx(whole.lufs, abs=0.5), part
    assert track.true_peak_dbtp == pytest.approx(media.loudness(path, STEREO).true_peak_dbtp, abs=0.2)


def test_one_channel_is_heard_on_both_sides(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    one = media.sound(tmp_path / "one.wav", music[:, :1])
    two = media.sound(tmp_path / "two.wav", np.repeat(music[:, :1], 2, axis=1))
    mono, stereo = listen(one, ffmpeg), listen(two, ffmpeg)
    assert (mono.mono, stereo.mono) == (True, False)
    assert mono.blocks_lufs == pytest.approx(stereo.blocks_lufs, abs=0.11)
    assert mono.true_peak_dbtp == pytest.approx(stereo.true_peak_dbtp, abs=0.05)


def test_six_channels_are_heard_as_two(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    six = np.zeros((len(music), 6), np.float32)
    six[:, 2] = music[:, 0]  # the middle: to both sides, 3 dB softer each
    track = listen(media.sound(tmp_path / "six.wav", six), ffmpeg)
    front = listen(media.sound(tmp_path / "two.wav", np.repeat(music[:, :1], 2, axis=1)), ffmpeg)
    assert integrated_lufs(track.blocks_lufs) == pytest.approx(integrated_lufs(front.blocks_lufs) - 3, abs=0.3)


def test_silence_before_and_after_is_left_out_and_a_pause_is_not(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    pause = np.zeros((48_000, 2), np.float32)
    loud = np.clip(music[: 2 * 48_000] * 4, -0.9, 0.9)
    loud[[0, -1]] = 0.5
    track = listen(media.sound(tmp_path / "a.wav", np.vstack([pause, loud, pause, loud, pause])), ffmpeg)
    assert float(track.start_s) == pytest.approx(1, abs=0.001)
    assert track.end_s is not None
    assert float(track.end_s) == pytest.approx(6, abs=0.001)
    assert len(track.blocks_lufs) == pytest.approx(5 / 0.4, abs=1)
    short = np.vstack([pause[:9_600], loud, pause[:9_600]])
    track = listen(media.sound(tmp_path / "b.wav", short), ffmpeg)
    assert (track.start_s, track.end_s) == (Fraction(0), Fraction(len(short), 48_000)), "it may be in time"


def test_only_silence_is_all_of_it(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    track = listen(media.sound(tmp_path / "a.wav", np.zeros((96_000, 2), np.float32)), ffmpeg)
    assert (track.start_s, track.end_s) == (Fraction(0), Fraction(2))
    assert max(track.blocks_lufs) < -70
    assert track.true_peak_dbtp < -90


def test_no_more_is_heard_than_the_longest_film_plays(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    hour = ("-f", "lavfi", "-i", "sine=frequency=300:sample_rate=8000:duration=3600")
    media.run(*hour, "-c:a", "pcm_u8", str(tmp_path / "hour.wav"))
    track = listen(tmp_path / "hour.wav", ffmpeg)
    assert (track.end_s, track.seamless) == (None, False)
    assert len(track.blocks_lufs) * 0.4 == pytest.approx(660, abs=1)


def whole_periods(seconds: float) -> Wave:
    """A chord that goes on from its end as it began."""
    t = np.arange(round(seconds * 48_000)) / 48_000
    wave = sum(np.sin(2 * np.pi * round(f * seconds) / seconds * t) for f in (110, 165, 277.2))
    return np.repeat((0.25 * np.asarray(wave, np.float32))[:, None], 2, axis=1)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("seconds", [1.0, 3.3])
def test_what_goes_on_where_it_began_is_seamless(tmp_path: Path, ffmpeg: FFmpeg, suffix: str, seconds: float) -> None:
    wave = whole_periods(seconds)
    whole = media.sound(tmp_path / f"a.{suffix}", wave)
    assert listen(whole, ffmpeg).seamless
    cut = media.sound(tmp_path / f"b.{suffix}", wave[: -48_000 // 300])
    assert not listen(cut, ffmpeg).seamless


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(50, 900))
def test_a_wave_joins_itself_anywhere_and_no_other(seed: int, at: int) -> None:
    chance = np.random.default_rng(seed)
    t = np.arange(1_000) / 48_000
    wave = sum(np.sin(2 * np.pi * f * t + chance.uniform(0, 6)) for f in chance.uniform(80, 900, 4)) / 8
    samples = [(float(value), float(value)) for value in wave]
    usual = float(np.abs(np.diff(wave, 2)).max())
    assert joins(samples[:at], samples[at:], usual)
    assert not joins(samples[:at], [(left + 0.2, right) for left, right in samples[at:]], usual), "one side is enough"
    traces = [(left + 0.2 * (number == 9), right) for number, (left, right) in enumerate(samples[at:])]
    assert not joins(samples[:at], traces, usual), "what coding has left beside the edge is heard, too"


@pytest.mark.parametrize("suffix", ["wav", "m4a", "mp3"])
def test_a_drum_may_begin_at_the_seam_as_it_does_elsewhere(tmp_path: Path, ffmpeg: FFmpeg, suffix: str) -> None:
    t = np.arange(4 * 48_000) / 48_000
    beat = np.exp(-30 * (t % 0.5)) * np.sin(2 * np.pi * 200 * (t % 0.5))
    loop = media.sound(tmp_path / f"a.{suffix}", np.stack([beat, beat], axis=1).astype(np.float32) * 0.5)
    assert listen(loop, ffmpeg).seamless


def test_soft_edges_join(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    soft = music.copy()
    soft[:4_800] *= np.linspace(0, 1, 4_800)[:, None] ** 2
    soft[-4_800:] *= np.linspace(1, 0, 4_800)[:, None] ** 2
    assert listen(media.sound(tmp_path / "a.wav", soft), ffmpeg).seamless


@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"no sound at all" * 99), lambda p: p.touch()])
def test_what_is_no_track_is_refused_by_name(tmp_path: Path, ffmpeg: FFmpeg, make: Callable[[Path], object]) -> None:
    make(tmp_path / "a.mp3")
    with pytest.raises(MediaError, match=r"a\.mp3"):
        listen(tmp_path / "a.mp3", ffmpeg)


def test_a_picture_is_no_track_and_a_flash_of_sound_neither(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    with pytest.raises(MediaError, match="holds no sound"):
        listen(media.clip(tmp_path / "a.mp4", seconds=1), ffmpeg)
    with pytest.raises(MediaError, match="too short"):
        listen(media.sound(tmp_path / "b.wav", music[:4_000]), ffmpeg)


def test_half_a_file_is_heard_as_far_as_it_goes(tmp_path: Path, ffmpeg: FFmpeg, music: Wave) -> None:
    path = media.sound(tmp_path / "a.mp3", music)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    track: Track = listen(path, ffmpeg)
    assert track.end_s is not None
    assert 4 < track.end_s < 5
