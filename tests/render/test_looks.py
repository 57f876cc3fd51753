"""Looks, judged by what they do to greys and colours."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from render.ffmpeg import FFmpeg
from render.fieldtypes import LookName
from render.looks import LOOKS, looked
from tests import media
from tests.render.films import make


def seen(name: str, rgb: tuple[int, int, int] | None = None) -> NDArray[np.int64]:
    """Y, U and V of a picture under a look: [3, width]. Every grey from black to white, or one colour."""
    picture = "geq=lum='16+mod(X,220)':cb=128:cr=128" if rgb is None else "null"
    color = "gray" if rgb is None else "0x" + bytes(rgb).hex()
    to_yuv = "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p"
    chain = ",".join([to_yuv, picture, "format=yuv420p", *looked(name), "scale=flags=neighbor,format=yuv444p"])
    raw = media.run(
        "-f", "lavfi", "-i", f"color=c={color}:s=440x2", "-frames:v", "1", "-vf", chain, "-f", "rawvideo", "-"
    )
    return np.frombuffer(raw, np.uint8).reshape(3, 2, 440)[:, 0, :220].astype(np.int64)


def test_every_look_can_be_asked_for() -> None:
    assert set(get_args(LookName)) == {"none", *LOOKS}
    assert list(looked("none")) == []


@pytest.mark.parametrize("name", LOOKS)
def test_light_only_grows_and_black_has_no_colour(name: str) -> None:
    luma, *chroma = seen(name)
    assert np.diff(luma).min() >= 0
    assert luma[0] >= 16
    assert luma[-1] <= 235
    assert luma[-1] - luma[0] > 180
    for plane in chroma:
        assert abs(plane[0] - 128) <= 1
        assert plane.min() >= 16
        assert plane.max() <= 240


def test_noir_leaves_no_colour() -> None:
    _, u, v = seen("noir", (230, 60, 20))
    assert np.abs(np.stack([u, v]) - 128).max() <= 1


def test_teal_is_cool_in_the_shadows_and_warm_in_the_lights() -> None:
    _, u, v = seen("teal")
    assert u[60] > 128 > v[60]
    assert u[190] < 128 < v[190]


@pytest.mark.parametrize("name", sorted(set(LOOKS) - {"noir", "sepia"}))
def test_colours_stay_what_they_are(name: str) -> None:
    """A red is still red under a look that is not of one colour."""
    _, u, v = seen(name, (200, 50, 40))
    assert v.min() > 128 + 30
    assert u.max() < 128


def test_a_film_has_its_look_and_its_overlays_have_not(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "red.mp4", "color=c=0xc83228", size="128x224", seconds=2)
    words = {"text": "####", "font_size": 400, "font_color": "#00ff00"}
    data = {
        "video": {"duration": 1, "look": "noir"},
        "text_overlays": [words],
        "output": {"width": 128, "height": 224, "quality": "high"},
    }
    frame = media.frames(make(data, [clip], tmp_path, ffmpeg).path, 128, 224)[10].astype(np.int64)
    corner = frame[:10, :10].reshape(-1, 3)
    assert np.ptp(corner, axis=1).max() < 8
    assert (np.ptp(frame, axis=2) > 150).any()
