"""Frames of overlays that move, as they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from render.motion import Pose
from render.reel import reel_box, reel_bytes, shoot
from render.timeline import Box

WHITE = (255, 255, 255, 255)


def shot(tmp_path: Path, image: Image.Image, poses: list[Pose], at: tuple[int, int] = (100, 50)) -> NDArray[np.uint8]:
    """The frames as an array: [frame, y, x, RGBA], cut out of the canvas as `reel_box` says."""
    box = reel_box(image.size, poses, at)
    path = tmp_path / "reel"
    shoot(image, at, poses, box, path)
    assert path.stat().st_size == reel_bytes(box, len(poses))
    return np.fromfile(path, np.uint8).reshape(len(poses), box.h, box.w, 4)


def middle(frame: NDArray[np.uint8], box: Box) -> tuple[float, float]:
    """The centre of what is painted, in px of the canvas."""
    alpha = frame[..., 3].astype(float)
    ys, xs = np.indices(alpha.shape)
    return (
        box.x + float((xs * alpha).sum() / alpha.sum()) + 0.5,
        box.y + float((ys * alpha).sum() / alpha.sum()) + 0.5,
    )


def test_a_frame_that_stands_is_the_picture_itself(tmp_path: Path) -> None:
    image = Image.effect_noise((31, 17), 80).convert("RGBA")
    (frame,) = shot(tmp_path, image, [Pose()])
    box = reel_box(image.size, [Pose()], (100, 50))
    left, top = 100 - box.x, 50 - box.y
    assert np.array_equal(frame[top : top + 17, left : left + 31], np.asarray(image))
    assert frame[..., 3].sum() == 31 * 17 * 255


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 10.25), (-7.5, 0.0), (0.125, -0.75)])
def test_parts_of_a_px_are_moved_by(tmp_path: Path, dx: float, dy: float) -> None:
    image = Image.new("RGBA", (40, 20), WHITE)
    poses = [Pose(dx=dx, dy=dy)]
    (frame,) = shot(tmp_path, image, poses)
    x, y = middle(frame, reel_box(image.size, poses, (100, 50)))
    assert x == pytest.approx(120 + dx, abs=0.05)
    assert y == pytest.approx(60 + dy, abs=0.05)


def test_what_shrinks_keeps_its_middle(tmp_path: Path) -> None:
    image = Image.new("RGBA", (60, 40), WHITE)
    poses = [Pose(scale=0.7), Pose(), Pose(scale=1.05)]
    frames = shot(tmp_path, image, poses)
    box = reel_box(image.size, poses, (100, 50))
    for frame, one in zip(frames, poses, strict=True):
        assert middle(frame, box) == pytest.approx((130, 70), abs=0.05)
        assert frame[..., 3].sum() / 255 == pytest.approx(60 * 40 * one.scale**2, rel=0.02)


def test_edges_keep_their_colour(tmp_path: Path) -> None:
    frames = shot(tmp_path, Image.new("RGBA", (40, 20), WHITE), [Pose(dy=3.5, opacity=0.5), Pose(scale=0.8)])
    for frame in frames:
        assert frame[frame[..., 3] > 0][:, :3].min() == 255
    assert frames[0][..., 3].max() == 128


@given(
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    st.lists(st.builds(Pose, st.floats(-90, 90), st.floats(-90, 90), st.floats(0.5, 1.2)), min_size=1, max_size=4),
)
def test_the_box_holds_every_frame(size: tuple[int, int], at: tuple[int, int], poses: list[Pose]) -> None:
    box = reel_box(size, poses, at)
    assert [side % 2 for side in (box.x, box.y, box.w, box.h)] == [0] * 4
    for one in poses:
        half = size[0] / 2 * one.scale, size[1] / 2 * one.scale
        x, y = at[0] + size[0] / 2 + one.dx, at[1] + size[1] / 2 + one.dy
        assert box.x < x - half[0]
        assert box.x + box.w > x + half[0]
        assert box.y < y - half[1]
        assert box.y + box.h > y + half[1]
