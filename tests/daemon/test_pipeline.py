"""One job from top to bottom, with real clips and FFmpeg: what it leaves, what it reports, how it stops."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.films import Films
from daemon.kinds.base import Sources
from daemon.pipeline import Film, Order, Tools, make
from daemon.prepared import PreparedFiles
from render.errors import Cancelled, ClipEndedEarly, FFmpegLost, NoClips, RenderError
from render.executor import Options
from render.ffmpeg import FFmpeg
from tests import media
from tests.daemon.material import make_library, sources

OUTPUT = {"width": 128, "height": 128, "quality": "draft"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("pipeline") / "library")


def tools_for(library: Path, folder: Path, ffmpeg: FFmpeg) -> Tools:
    films = Films(folder / "films")
    return Tools(ffmpeg, lambda watched: sources(library, watched), Options(), films, folder / "work")


@pytest.fixture
def tools(library: Path, tmp_path: Path, ffmpeg: FFmpeg) -> Tools:
    return tools_for(library, tmp_path, ffmpeg)


def order(seconds: float = 1, **spec: Any) -> Order:
    video = {"duration": seconds, "style": "rain"}
    return Order("job_a", "template", {"video": video, "output": OUTPUT, **spec}, 7)


def always(stage: str, percent: int) -> bool:
    return True


def no() -> bool:
    return False


def run(wanted: Order, tools: Tools) -> Film:
    return make(wanted, tools, always, lambda: False)


def left(tools: Tools) -> list[str]:
    """Names of the files that stand in both folders."""
    folders = [folder for folder in (tools.films.folder, tools.work) if folder.exists()]
    return sorted(path.name for folder in folders for path in folder.rglob("*"))


def test_a_film_its_thumbnail_and_its_result(tools: Tools) -> None:
    said: list[tuple[str, int]] = []

    def report(stage: str, percent: int) -> bool:
        said.append((stage, percent))
        return True

    film = make(order(9), tools, report, lambda: False)
    assert left(tools) == ["job_a.jpg", "job_a.mp4"]
    path = tools.films.path("job_a", "mp4")
    result = film.result
    assert (result["bytes"], result["sha256"]) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert [result[name] for name in ("duration_s", "width", "height", "fps", "seed")] == [9, 128, 128, 30, 7]
    assert (result["style"], result["music"]) == ("rain", "calm.wav")
    heard = media.loudness(path)
    assert (heard.lufs, result["loudness_lufs"]) == pytest.approx((-14, heard.lufs), abs=0.3)
    assert result["true_peak_dbtp"] == pytest.approx(heard.true_peak_dbtp, abs=0.1)
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
    tools.films.folder.mkdir()
    (tools.films.path("job_a", "mp4")).write_text("older")
    run(order(), tools)
    assert left(tools) == ["job_a.jpg", "job_a.mp4"]
    assert len(media.frames(tools.films.path("job_a", "mp4"), 128, 128)) == 30


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
    tools = tools_for(root, tmp_path, ffmpeg)
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
    own = tools_for(root, tmp_path, ffmpeg)
    with pytest.raises(RenderError, match=r"logo\.png"):
        run(order(logo={"name": "logo.png"}), own)
    missing = replace(tools, ffmpeg=FFmpeg("/nonexistent"))
    with pytest.raises(RenderError, match="cannot be started"):
        run(order(), missing)
    assert left(own) == []


def test_a_film_is_not_thrown_away_for_want_of_a_thumbnail(tools: Tools, tmp_path: Path) -> None:
    # What a program brings with it, and may run, lies in the folder `lib` beside its own.
    wrapper, real = tmp_path / "bin" / "ffmpeg", tmp_path / "lib" / "ffmpeg"
    for program in (wrapper, real):
        program.parent.mkdir()
    shutil.copy(media.FFMPEG, real)
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *image2*) exit 1;; esac\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    film = run(order(), replace(tools, ffmpeg=FFmpeg(str(wrapper))))
    assert film.warnings == ("no thumbnail could be made",)
    assert left(tools) == ["job_a.mp4"]


def test_an_ffmpeg_that_cannot_start_says_nothing_about_the_clips(library: Path, tools: Tools) -> None:
    lost = FFmpeg("/nonexistent/ffmpeg")
    with pytest.raises(FFmpegLost):
        run(order(audio={"audio": "none"}), replace(tools, ffmpeg=lost))
    assert run(order(), tools).result["duration_s"] == 1


class TestAnotherTry:
    """What preparing has made is used again, as long as it would come out the same."""

    def prepared_by(self, tools: Tools, ffmpeg: FFmpeg, stop_after: str) -> Tools:
        """Tools whose first try was ended after a stage."""
        kept = replace(tools, prepared=PreparedFiles(tools.work.parent / "prepared", "1"))
        stages: list[str] = []

        def report(stage: str, percent: int) -> bool:
            stages.append(stage)
            return stage != stop_after

        with pytest.raises(Cancelled):
            make(replace(order(), job_id="job_a"), kept, report, lambda: False)
        return kept

    def test_nothing_is_looked_at_again(self, tools: Tools, tmp_path: Path, ffmpeg: FFmpeg) -> None:
        kept = self.prepared_by(tools, ffmpeg, "render")
        assert list(kept.prepared.ages()) == ["job_a"]  # type: ignore[union-attr]

        def nobody(watched: FFmpeg) -> Sources:
            raise AssertionError("the library is not asked again")

        film = make(replace(order(), job_id="job_a", stem="job_a.2"), replace(kept, sources=nobody), always, no)
        assert film.result["duration_s"] == 1
        assert list(kept.prepared.ages()) == [], "done: nobody tries again"  # type: ignore[union-attr]

    def test_a_clip_that_changed_is_chosen_anew(self, tmp_path: Path, ffmpeg: FFmpeg) -> None:
        root = make_library(tmp_path / "library")
        kept = self.prepared_by(tools_for(root, tmp_path, ffmpeg), ffmpeg, "render")
        for clip in (root / "styles" / "rain").iterdir():
            if not clip.name.startswith("bad"):
                os.utime(clip, (1, 1))
        asked: list[FFmpeg] = []

        def again(watched: FFmpeg) -> Sources:
            asked.append(watched)
            return sources(root, watched)

        make(replace(order(), job_id="job_a"), replace(kept, sources=again), always, no)
        assert asked

    def test_another_version_of_the_program_prepares_anew(self, tools: Tools, ffmpeg: FFmpeg) -> None:
        kept = self.prepared_by(tools, ffmpeg, "render")
        assert kept.prepared
        assert kept.prepared.load("job_a")
        assert replace(kept.prepared, program="2").load("job_a") is None

    @pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b'{"version": 1}', b"\xff"])
    def test_a_damaged_file_is_no_crash(self, tools: Tools, ffmpeg: FFmpeg, damage: bytes) -> None:
        kept = replace(tools, prepared=PreparedFiles(tools.work.parent / "prepared"))
        assert kept.prepared
        kept.prepared.folder.mkdir(parents=True)
        (kept.prepared.folder / "job_a.json").write_bytes(damage)
        assert kept.prepared.load("job_a") is None

    def test_a_choice_that_cannot_work_is_not_kept(self, tmp_path: Path, ffmpeg: FFmpeg) -> None:
        root = make_library(tmp_path / "library")
        (root / "logos" / "logo.png").write_bytes(b"no picture")
        kept = replace(tools_for(root, tmp_path, ffmpeg), prepared=PreparedFiles(tmp_path / "prepared"))
        with pytest.raises(RenderError, match=r"logo\.png"):
            make(replace(order(logo={"name": "logo.png"}), job_id="job_a"), kept, always, no)
        assert list((tmp_path / "prepared").iterdir()) == []
