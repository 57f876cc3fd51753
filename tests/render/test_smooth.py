"""Slow motion from sources that are too slow for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from render.errors import ClipEndedEarly, MediaError
from render.executor import render
from render.ffmpeg import FFmpeg
from render.flow import Flow, Frame
from render.still import still
from tests import media
from tests.render.films import compiled

SMALL = {"width": 192, "height": 336, "quality": "high"}


def picture(shift: int, seed: int = 1) -> Frame:
    """A soft random texture, moved to the right."""
    noise = np.random.default_rng(seed).integers(0, 255, (336, 400)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    luma = np.clip((soft - soft.mean()) * 6 + 128, 0, 255).astype(np.uint8)[:, 100 - shift : 292 - shift]
    chroma = cv2.resize(luma, (96, 168))
    return np.ascontiguousarray(luma), chroma, 255 - chroma


def off(one: Frame, other: Frame) -> float:
    return max(float(cv2.absdiff(a, b)[20:-20, 20:-20].mean()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_what_moves_is_found_on_its_way(share: float) -> None:
    flow = Flow(192, 336)
    first, second, truth = picture(0), picture(8), picture(round(8 * share))
    blended = tuple(cv2.addWeighted(a, 1 - share, b, share, 0) for a, b in zip(first, second, strict=True))
    made = flow.frame(flow.between(first, second), share)
    assert off(made, truth) < 3
    assert off(made, truth) < off(blended, truth) / 3  # type: ignore[arg-type]


def test_what_stands_still_stays_as_it_is() -> None:
    flow = Flow(192, 336)
    assert off(flow.frame(flow.between(picture(0), picture(0)), 0.5), picture(0)) < 1


def test_between_two_scenes_there_is_nothing() -> None:
    flow = Flow(192, 336)
    pair = flow.between(picture(0, seed=1), tuple(255 - plane for plane in picture(0, seed=2)))  # type: ignore[arg-type]
    assert off(flow.frame(pair, 0.4), pair.first) == 0
    assert off(flow.frame(pair, 0.6), pair.second) == 0


@pytest.fixture(scope="module")
def scrolling(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same movement at 60 and at 30 frames a second."""
    folder = tmp_path_factory.mktemp("scrolling")
    luma = np.tile(picture(0)[0], (1, 2))
    still_path = folder / "texture.png"
    Image.fromarray(luma[:, :384]).save(still_path)
    made = {}
    for rate in ("60", "30"):
        (folder / rate).mkdir()
        path = folder / rate / "clip.mp4"  # of one name, so that films begin with the same second of it
        scroll = f"scroll=horizontal={240 / 384 / int(rate)},crop=192:336:0:0,format=yuv420p"
        args = ["-loop", "1", "-framerate", rate, "-i", str(still_path), "-t", "2", "-vf", scroll]
        media.run(*args, "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p", str(path))
        made[rate] = path
    return made


def film(data: dict[str, Any], clip: Path, folder: Path, ffmpeg: FFmpeg) -> NDArray[np.int64]:
    folder.mkdir()
    timeline = compiled(data, [clip], ffmpeg)
    render(timeline, folder / "film.mp4", folder, ffmpeg)
    return media.frames(folder / "film.mp4", 192, 336).astype(np.int64)


def asked(smooth: str) -> dict[str, Any]:
    return {"video": {"duration": 2, "speed": 0.5, "smooth": smooth}, "output": SMALL}


def test_flow_comes_nearer_to_a_fast_source_than_a_blend(
    tmp_path: Path, scrolling: dict[str, Path], ffmpeg: FFmpeg
) -> None:
    data = {smooth: asked(smooth) | {"seed": 1} for smooth in ("off", "blend", "flow")}
    truth = film(data["off"], scrolling["60"], tmp_path / "truth", ffmpeg)
    made = {smooth: film(data[smooth], scrolling["30"], tmp_path / smooth, ffmpeg) for smooth in data}
    best = {smooth: _error(frames, truth) for smooth, frames in made.items()}
    assert best["flow"] < best["blend"] / 1.5
    steps = {smooth: np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)) for smooth, frames in made.items()}
    assert steps["off"][10:20].min() < steps["off"][10:20].max() / 4, "every second frame is the one before it"
    assert steps["flow"][10:20].min() > steps["flow"][10:20].max() / 2


def _error(frames: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Mean difference in the frames in between, at the offset in time at which both begin alike."""
    return min(
        float(np.abs(frames[10:40] - truth[10 + late : 40 + late])[:, 20:-20, 20:-20].mean()) for late in (-1, 0, 1, 2)
    )


def test_a_still_shows_what_the_film_does(tmp_path: Path, scrolling: dict[str, Path], ffmpeg: FFmpeg) -> None:
    frames = film(asked("flow"), scrolling["30"], tmp_path / "film", ffmpeg)
    timeline = compiled(asked("flow"), [scrolling["30"]], ffmpeg)
    for number in (0, 7, 20, 33, 58):
        image = Image.open(io.BytesIO(still(timeline, number, tmp_path, ffmpeg).png))
        found = np.asarray(image).astype(np.int64)
        errors = [np.abs(found - frames[near]).mean() for near in (max(number - 1, 0), number, min(number + 1, 59))]
        assert errors[1] == min(errors), (number, errors)
        assert errors[1] < 5, (number, errors)


def test_fast_sources_are_left_alone(tmp_path: Path, scrolling: dict[str, Path], ffmpeg: FFmpeg) -> None:
    timeline = compiled(asked("flow"), [scrolling["60"]], ffmpeg)
    render(timeline, tmp_path / "film.mp4", tmp_path, ffmpeg)
    assert not list(tmp_path.glob("smooth*"))


def test_a_clip_that_cannot_be_read_any_more_is_an_error(
    tmp_path: Path, scrolling: dict[str, Path], ffmpeg: FFmpeg
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(scrolling["30"].read_bytes())
    timeline = compiled(asked("flow"), [clip], ffmpeg)
    clip.write_bytes(b"nothing of the kind")
    with pytest.raises(MediaError):
        render(timeline, tmp_path / "film.mp4", tmp_path, ffmpeg)
    assert not (tmp_path / "film.mp4").exists()


def test_a_clip_that_ends_early_fails_the_film_and_is_named(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mkv", rate="30", seconds=4)
    timeline = compiled({**asked("flow"), "video": {"duration": 7, "smooth": "flow"}}, [clip], ffmpeg)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "w").mkdir()
    with pytest.raises(ClipEndedEarly) as caught:
        render(timeline, tmp_path / "film.mp4", tmp_path / "w", ffmpeg)
    assert caught.value.path == clip
    assert not list(tmp_path.glob("film*"))


@pytest.mark.parametrize("smooth", ["off", "blend", "flow"])
def test_colours_are_the_same_however_frames_are_made(tmp_path: Path, ffmpeg: FFmpeg, smooth: str) -> None:
    tags = ("format=yuv420p", "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709")
    to_709 = ("format=rgb24", "scale=out_color_matrix=bt709:out_range=tv", *tags)
    clip = media.clip(tmp_path / "c.mp4", "color=c=0xc86432", seconds=2, filters=to_709, video=("-qp", "1"))
    shown = film(asked(smooth), clip, tmp_path / "film", ffmpeg)[11]
    assert shown.reshape(-1, 3).mean(axis=0) == pytest.approx((200, 100, 50), abs=3)
