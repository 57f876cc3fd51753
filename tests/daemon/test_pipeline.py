"""One job from top to bottom, with real clips and FFmpeg: what it leaves, what it reports, how it stops."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.pipeline import Film, Order, Tools, make
from render.errors import Cancelled, ClipEndedEarly, FFmpegLost, NoClips, RenderError
from render.executor import Options
from render.ffmpeg import FFmpeg
from tests import media
from tests.daemon.material import make_library, sources

OUTPUT = {"width": 128, "height": 128, "quality": "draft"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("pipeline") / "library")


@pytest.fixture
def tools(library: Path, tmp_path: Path, ffmpeg: FFmpeg) -> Tools:
    return Tools(ffmpeg, sources(library, ffmpeg), Options(), tmp_path / "films", tmp_path / "work")


def order(seconds: float = 1, **spec: Any) -> Order:
    video = {"duration": seconds, "style": "rain"}
    return Order("job_a", "template", {"video": video, "output": OUTPUT, **spec}, 7)


def always(stage: str, percent: int) -> bool:
    return True


def run(wanted: Order, tools: Tools) -> Film:
    return make(wanted, tools, always, lambda: False)


def left(tools: Tools) -> list[str]:
    """Names of the files that stand in both folders."""
    folders = [folder for folder in (tools.films, tools.work) if folder.exists()]
    return sorted(path.name for folder in folders for path in folder.rglob("*"))


def test_a_film_its_thumbnail_and_its_result(tools: Tools) -> None:
    said: list[tuple[str, int]] = []

    def report(stage: str, percent: int) -> bool:
        said.append((stage, percent))
        return True

    film = make(order(9), tools, report, lambda: False)
    assert left(tools) == ["job_a.jpg", "job_a.mp4"]
    path = tools.films / "job_a.mp4"
    result = film.result
    assert (result["bytes"], result["sha256"]) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert [result[name] for name in ("duration_s", "width", "height", "fps", "seed")] == [9, 128, 128, 30, 7]
    assert (result["style"], result["music"]) == ("rain", "calm.wav")
    assert result["render_s"] > 0
    assert result["cpu_s"] > 0
    assert 5 < result["peak_rss_mb"] < 300
    assert len(media.frames(path, 128, 128)) == 270
    assert [stage for stage, _ in said] == sorted((s for s, _ in said), key=["prepare", "render", "thumbnail"].index)
    percents = [percent for _, percent in said]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert max(percents) < 100, "100 is when it is written down"


def test_what_an_earlier_attempt_has_left_does_no_harm(tools: Tools) -> None:
    (tools.work / "job_a").mkdir(parents=True)
    (tools.work / "job_a" / "slice0000.mp4").write_text("half")
    tools.films.mkdir()
    (tools.films / "job_a.mp4.part").write_text("half")
    (tools.films / "job_a.mp4").write_text("older")
    run(order(), tools)
    assert left(tools) == ["job_a.jpg", "job_a.mp4"]
    assert len(media.frames(tools.films / "job_a.mp4", 128, 128)) == 30


def test_a_lost_claim_and_a_wish_to_stop_end_it_without_a_trace(tools: Tools) -> None:
    with pytest.raises(Cancelled):
        make(order(), tools, lambda stage, percent: False, lambda: False)
    assert left(tools) == []
    with pytest.raises(Cancelled):
        make(order(), tools, always, lambda: True)
    assert left(tools) == []


def test_a_failure_leaves_nothing(tools: Tools) -> None:
    with pytest.raises(NoClips):
        run(order(video={"style": "gone", "duration": 1}), tools)
    assert left(tools) == []


def test_a_clip_that_ends_early_is_skipped_from_then_on(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    root = make_library(tmp_path / "library")
    tools = Tools(ffmpeg, sources(root, ffmpeg), Options(), tmp_path / "films", tmp_path / "work")
    clip = root / "styles" / "snow" / "c.mp4"
    raw = clip.read_bytes()
    end = raw.rindex(b"moov") - 4
    clip.write_bytes(raw[: len(raw) // 3] + bytes(end - len(raw) // 3) + raw[end:])
    snow = order(video={"style": "snow", "duration": 6})
    with pytest.raises(ClipEndedEarly) as caught:
        run(snow, tools)
    assert (caught.value.path, caught.value.permanent, caught.value.code) == (clip, True, "bad_media")
    assert left(tools) == []
    with pytest.raises(NoClips):
        run(snow, tools)
    media.clip(clip, size="128x128", seconds=3, rate="60")
    assert run(snow, tools).result["duration_s"] == 6


def test_a_broken_logo_and_a_missing_ffmpeg_are_named(tools: Tools, tmp_path: Path, ffmpeg: FFmpeg) -> None:
    root = make_library(tmp_path / "own" / "library")
    (root / "logos" / "logo.png").write_bytes(b"no picture")
    own = Tools(ffmpeg, sources(root, ffmpeg), Options(), tmp_path / "films", tmp_path / "work")
    with pytest.raises(RenderError, match=r"logo\.png"):
        run(order(logo={"name": "logo.png"}), own)
    missing = Tools(FFmpeg("/nonexistent"), tools.sources, Options(), tmp_path / "films", tmp_path / "work")
    with pytest.raises(RenderError, match="cannot be started"):
        run(order(), missing)
    assert left(own) == []


def test_a_film_is_not_thrown_away_for_want_of_a_thumbnail(tools: Tools, tmp_path: Path) -> None:
    wrapper = tmp_path / "ffmpeg"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *image2*) exit 1;; esac\nexec {media.FFMPEG} "$@"\n')
    wrapper.chmod(0o755)
    film = run(order(), replace(tools, ffmpeg=FFmpeg(str(wrapper))))
    assert film.warnings == ("no thumbnail could be made",)
    assert left(tools) == ["job_a.mp4"]


def test_an_ffmpeg_that_cannot_start_says_nothing_about_the_clips(library: Path, tools: Tools) -> None:
    lost = FFmpeg("/nonexistent/ffmpeg")
    with pytest.raises(FFmpegLost):
        run(order(audio={"audio": "none"}), replace(tools, ffmpeg=lost, sources=sources(library, lost)))
    assert run(order(), tools).result["duration_s"] == 1
