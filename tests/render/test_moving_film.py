"""Overlays that come and go, in finished films."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from render.atlas import MAX_REELS
from render.executor import render
from render.ffmpeg import FFmpeg
from render.motion import pose
from render.slices import slices
from render.timeline import Timeline
from tests import media
from tests.render.films import compiled, make

SMALL = {"width": 270, "height": 480}
# A logo of 80 px in the middle of a picture of a quarter of the size.
SIDE, LEFT, TOP = 20, 125, 230


@pytest.fixture(scope="module")
def black(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.clip(tmp_path_factory.mktemp("black") / "a.mp4", "color=c=black", size="270x480", seconds=2)


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logo") / "white.png"
    Image.new("RGB", (80, 80), "white").save(path)
    return path


def spec(**logo: Any) -> dict[str, Any]:
    return {
        "video": {"duration": 2, "speed": 1},
        "output": SMALL | {"quality": "high"},
        "logo": {"name": "white.png", "size": 80, "positionxy": [540, 960], "margin": [0, 0, 0, 0], **logo},
    }


def light(frame: NDArray[np.uint8]) -> tuple[float, float, float]:
    """How many px of white there are, and the centre of them."""
    amount = np.clip(frame.astype(float).mean(axis=-1) - 4, 0, None) / 251
    ys, xs = np.indices(amount.shape)
    total = amount.sum()
    return total, (xs * amount).sum() / max(total, 1e-9) + 0.5, (ys * amount).sum() / max(total, 1e-9) + 0.5


@pytest.mark.parametrize("style", ["rise", "slide", "pop"])
def test_every_frame_is_where_its_pose_says(
    tmp_path: Path, black: Path, logo: Path, ffmpeg: FFmpeg, style: str
) -> None:
    film = make(spec(enter=style, exit=style), [black], tmp_path, ffmpeg, logo=logo)
    layer = film.timeline.layers[-1]
    frames = media.frames(film.path, 270, 480)
    assert len(frames) == 60
    for number in [0, *range(3, 16), 30, *range(46, 58), 59]:
        posed = pose(layer, number, 0.25)
        total, x, y = light(frames[number])
        assert total == pytest.approx((SIDE * posed.scale) ** 2 * posed.opacity, rel=0.06, abs=6), number
        if posed.opacity > 0.3:
            assert x == pytest.approx(LEFT + SIDE / 2 + posed.dx, abs=0.3), number
            assert y == pytest.approx(TOP + SIDE / 2 + posed.dy, abs=0.3), number


def test_it_then_stands_as_if_it_had_never_moved(tmp_path: Path, black: Path, logo: Path, ffmpeg: FFmpeg) -> None:
    films = []
    for name, more in (("still", {}), ("moved", {"enter": "slide", "exit": "pop"})):
        (tmp_path / name).mkdir()
        films.append(media.frames(make(spec(**more), [black], tmp_path / name, ffmpeg, logo=logo).path, 270, 480))
    still, moved = (frames[15:45].astype(int) for frames in films)
    assert np.abs(still - moved).max() < 12
    assert np.abs(still - moved).mean() < 0.2


def test_a_movement_goes_on_over_a_cut(tmp_path: Path, black: Path, logo: Path, ffmpeg: FFmpeg) -> None:
    whole = compiled(spec(enter="rise", enter_duration=1), [black], ffmpeg, logo=logo)
    shot, *overlays = whole.layers
    halves = replace(shot, frames=13), replace(shot, start=13, frames=47)
    cut = replace(whole, layers=(*halves, *overlays))
    assert [len(slices(timeline)) for timeline in (whole, cut)] == [1, 2]
    one, two = (rendered(timeline, tmp_path / name, ffmpeg) for timeline, name in ((whole, "one"), (cut, "two")))
    for number in range(10, 31):
        (amount, *at), (same, *there) = light(one[number]), light(two[number])
        assert amount == pytest.approx(same, rel=0.04), number
        assert at == pytest.approx(there, abs=0.2), number


def rendered(timeline: Timeline, folder: Path, ffmpeg: FFmpeg) -> NDArray[np.uint8]:
    folder.mkdir()
    render(timeline, folder / "film.mp4", folder, ffmpeg)
    return np.asarray(media.frames(folder / "film.mp4", 270, 480))


def test_what_is_too_much_to_move_fades(tmp_path: Path, black: Path, logo: Path, ffmpeg: FFmpeg) -> None:
    timeline = compiled(spec(enter="slide"), [black], ffmpeg, logo=logo)
    shot, overlay = timeline.layers
    many = replace(timeline, layers=(shot, *[overlay] * (MAX_REELS + 1)))
    work = tmp_path / "work"
    work.mkdir()
    made = render(many, tmp_path / "film.mp4", work, ffmpeg)
    assert [warning for warning in made.warnings if "fades instead of moving" in warning]
    first = light(media.frames(tmp_path / "film.mp4", 270, 480)[8])
    assert first[0] > SIDE * SIDE / 2
