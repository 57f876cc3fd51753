"""Music in finished films: as loud as asked, no click where it begins again, gone where it should be."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from render.executor import Rendered, render
from render.ffmpeg import FFmpeg
from render.listen import listen
from render.loudness import MOST_DBTP
from render.shots import Clip
from render.spec import parse_template
from render.template import compile_template
from render.timeline import Timeline
from tests import media
from tests.render.test_template import clip as long_clip

Wave = NDArray[np.float32]
RATE = 48_000


@dataclasses.dataclass(frozen=True)
class Film:
    path: Path
    timeline: Timeline
    rendered: Rendered


def film(folder: Path, track: Path, ffmpeg: FFmpeg, seconds: float, quality: str = "draft", **audio: Any) -> Film:
    """A small black film with that music."""
    output = {"width": 128, "height": 128, "fps": 30, "quality": quality}
    spec = parse_template({"video": {"duration": seconds}, "audio": audio, "output": output})
    nothing = long_clip("none", 600)
    full = compile_template(spec, 1, [Clip(nothing.info, nothing.video)], listen(track, ffmpeg), None, lambda *font: ())
    timeline = replace(full, layers=())
    (folder / "w").mkdir(exist_ok=True)
    return Film(folder / "film.mp4", timeline, render(timeline, folder / "film.mp4", folder / "w", ffmpeg))


@pytest.fixture(scope="module")
def wave() -> Wave:
    return media.music(12)


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0], ids=["soft", "as it is", "hot"])
@pytest.mark.parametrize("target", [-14, -20])
def test_a_film_is_as_loud_as_asked(tmp_path: Path, ffmpeg: FFmpeg, wave: Wave, gain: float, target: float) -> None:
    track = media.sound(tmp_path / "a.wav", wave * gain)
    made = film(tmp_path, track, ffmpeg, 10, loudness=target)
    found = media.loudness(made.path)
    assert found.lufs == pytest.approx(target, abs=0.5)
    assert found.true_peak_dbtp < MOST_DBTP
    assert made.rendered.loudness.lufs == pytest.approx(found.lufs, abs=0.2)
    assert made.rendered.loudness.true_peak_dbtp == pytest.approx(found.true_peak_dbtp, abs=0.1)


def test_what_counts_is_the_part_that_is_heard(tmp_path: Path, ffmpeg: FFmpeg, wave: Wave) -> None:
    quiet = wave.copy()
    quiet[: 6 * RATE] /= 2
    track = media.sound(tmp_path / "a.wav", quiet)
    assert media.loudness(film(tmp_path, track, ffmpeg, 5).path).lufs == pytest.approx(-14, abs=0.5)


def test_volume_comes_on_top_and_null_leaves_it_as_it_is(tmp_path: Path, ffmpeg: FFmpeg, wave: Wave) -> None:
    track = media.sound(tmp_path / "a.wav", wave)
    half = film(tmp_path, track, ffmpeg, 10, volume=0.5)
    assert media.loudness(half.path).lufs == pytest.approx(-20, abs=0.5)
    as_it_is = media.loudness(track, "atrim=duration=10").lufs
    left = film(tmp_path, track, ffmpeg, 10, loudness=None)
    assert media.loudness(left.path).lufs == pytest.approx(as_it_is, abs=0.3)


@pytest.mark.parametrize("quality", ["draft", "social", "high"])
@pytest.mark.parametrize("sort", ["noise", "clicks", "squares"])
def test_no_peak_passes_whatever_is_played(tmp_path: Path, ffmpeg: FFmpeg, sort: str, quality: str) -> None:
    chance = np.random.default_rng(5)
    n = 5 * RATE
    waves = {
        "noise": chance.normal(0, 0.5, (n, 2)),
        "clicks": (chance.random((n, 2)) < 0.0005) * chance.choice([-1.0, 1.0], (n, 2)),
        "squares": 0.99 * np.sign(np.sin(np.arange(n) / RATE * 2 * np.pi * 997))[:, None] * np.ones(2),
    }
    track = media.sound(tmp_path / "a.wav", np.clip(waves[sort], -1, 1).astype(np.float32))
    made = film(tmp_path, track, ffmpeg, 5, quality, volume=4)
    assert media.loudness(made.path).true_peak_dbtp < MOST_DBTP
    assert made.rendered.loudness.true_peak_dbtp < MOST_DBTP
    assert len(media.frames(made.path, 128, 128)) == 150
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".part", ".mp4") and path != made.path]


def test_what_limits_peaks_shifts_nothing(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    t = np.arange(3 * RATE) / RATE % 0.5
    beat = np.exp(-60 * t) * np.sin(2 * np.pi * 800 * t)
    track = media.sound(tmp_path / "a.wav", np.stack([beat, beat], axis=1).astype(np.float32))
    soft, hot = (
        media.samples(film(tmp_path, track, ffmpeg, 3, "high", loudness=None, volume=volume).path)[:, 0]
        for volume in (0.2, 4)
    )
    onsets = [
        [int(np.argmax(wave[at - 500 : at + 500] > 0.2 * wave.max())) for at in range(RATE // 2, 3 * RATE, RATE // 2)]
        for wave in (soft, hot)
    ]
    assert np.abs(np.diff(onsets, axis=0)).max() <= 5, "less than 0.1 ms, where the limiter looks 5 ms ahead"


def bends(wave: Wave) -> NDArray[np.float64]:
    """How sharply the wave bends, the most in each millisecond: a click stands out."""
    second = np.abs(np.diff(wave.astype(np.float64).mean(axis=1), n=2))
    return np.asarray(second[: len(second) // 48 * 48].reshape(-1, 48).max(axis=1))


def hum(seconds: float) -> Wave:
    """Deep tones that do not come out even, so that every click is heard."""
    t = np.arange(round(seconds * RATE)) / RATE
    wave = 0.3 * np.sin(2 * np.pi * 111.3 * t + 1) + 0.2 * np.sin(2 * np.pi * 163.7 * t)
    return np.asarray(np.stack([wave, wave], axis=1), np.float32)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("wav", ()),
        ("m4a", ("-c:a", "aac")),
        ("mp3", ("-q:a", "2")),
        ("opus", ()),
        ("ogg", ("-c:a", "libvorbis")),
    ],
)
@pytest.mark.parametrize("seconds", [2.345, 3.777])
def test_it_begins_again_without_a_click(
    tmp_path: Path, ffmpeg: FFmpeg, suffix: str, codec: tuple[str, ...], seconds: float
) -> None:
    track = media.sound(tmp_path / f"a.{suffix}", hum(seconds), *codec)
    made = film(tmp_path, track, ffmpeg, 12, "high", loudness=None)
    [sound] = made.timeline.sounds
    assert sound.loop
    heard = media.samples(made.path)[RATE // 10 : -RATE // 10]
    played = media.samples(track)
    click = bends(np.concatenate([played, played])).max()
    assert click > 0.02, "joined as it is, it would click"
    assert bends(heard).max() < 0.1 * click
    if suffix == "wav":
        # What coding has left of the edge of the others is theirs.
        assert bends(heard).max() < 1.5 * np.quantile(bends(heard), 0.999)
    # Nor a hole.
    power = (heard.astype(np.float64) ** 2).mean(axis=1)
    short = power[: len(power) // 960 * 960].reshape(-1, 960).mean(axis=1)
    assert short.min() > 0.2 * np.median(short)


def test_a_seamless_track_is_repeated_to_the_sample(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    t = np.arange(3 * RATE) / RATE
    beat = np.exp(-30 * (t % 0.5)) * np.sin(2 * np.pi * 200 * t)
    track = media.sound(tmp_path / "a.flac", np.stack([beat, beat], axis=1).astype(np.float32) * 0.5)
    made = film(tmp_path, track, ffmpeg, 10, "high", loudness=None)
    assert made.timeline.sounds[0].seam_s == 0
    heard = media.samples(made.path)[:, 0]
    envelope = np.abs(heard[: len(heard) // 48 * 48]).reshape(-1, 48).max(axis=1)
    onsets = [at for at in range(20, 9_900) if envelope[at] > 0.2 and envelope[at - 10 : at - 2].max() < 0.05]
    firsts = [at for before, at in zip([0, *onsets], onsets, strict=False) if at - before > 100]
    assert len(firsts) >= 18
    assert np.abs(np.diff(firsts) - 500).max() <= 2, "the beat goes on through both seams"


def test_a_film_cuts_its_music_softly_at_its_very_end(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    made = film(tmp_path, media.sound(tmp_path / "a.wav", hum(6)), ffmpeg, 4, "high", loudness=None)
    heard = media.samples(made.path)
    assert len(heard) == 4 * RATE
    assert np.abs(heard[4 * RATE - 48 :]).max() < 0.02
    assert np.abs(heard[4 * RATE - RATE // 20 : 4 * RATE - RATE // 50]).max() > 0.25, "and not before"


def test_fades_are_gentle_at_both_ends(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    tone = media.tone(tmp_path / "t.wav", seconds=8, frequency=440, volume=0.5)
    made = film(tmp_path, tone, ffmpeg, 6, "high", loudness=None, fade_in=2, fade_out=2)
    heard = np.abs(media.samples(made.path)[:, 0])
    shares = np.array([heard[int(s * RATE) - 240 : int(s * RATE) + 240].max() / 0.5 for s in np.arange(0.1, 6, 0.1)])
    at_s = np.arange(0.1, 6, 0.1)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(at_s / 2, 0, 1))
    fall = 0.5 - 0.5 * np.cos(np.pi * np.clip((6 - at_s) / 2, 0, 1))
    assert np.abs(shares - rise * fall).max() < 0.04


def test_music_begins_with_the_film_though_its_file_begins_with_silence(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    silence = np.zeros((2 * RATE, 2), np.float32)
    track = media.sound(tmp_path / "a.wav", np.vstack([silence, hum(2), silence]))
    made = film(tmp_path, track, ffmpeg, 5, "high", loudness=None)
    power = (
        (media.samples(made.path)[: 5 * RATE].astype(np.float64) ** 2).mean(axis=1).reshape(-1, RATE // 20).mean(axis=1)
    )
    assert power[:-1].min() > 0.2 * np.median(power)


def test_a_film_without_music_is_silent_and_says_so(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    timeline = Timeline(128, 128, Fraction(30), 30, (), quality="draft")
    (tmp_path / "w").mkdir()
    found = render(timeline, tmp_path / "film.mp4", tmp_path / "w", ffmpeg).loudness
    assert (found.lufs, found.true_peak_dbtp) == (float("-inf"), float("-inf"))


def test_old_timelines_still_play(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    """A loop without an end, as Timelines had it before tracks were listened to."""
    track = media.tone(tmp_path / "t.wav", seconds=1)
    made = film(tmp_path, track, ffmpeg, 3)
    old = replace(made.timeline, sounds=(type(made.timeline.sounds[0])(track, 0, 90, loop=True),))
    render(old, tmp_path / "old.mp4", tmp_path / "w", ffmpeg)
    heard = np.abs(media.samples(tmp_path / "old.mp4"))
    # 0.5, of which FFmpeg's way from one channel to two leaves 0.354.
    assert heard[2 * RATE : 3 * RATE - RATE // 10].max() > 0.3
