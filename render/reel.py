"""Draws an overlay that moves: every frame that differs from the others once, one behind the other in a raw file.

Drawn, not moved by FFmpeg, which places overlays at even px: the slow end of a movement would be seen to step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor
from pathlib import Path

from PIL import Image

from render.motion import Pose
from render.timeline import Box

# Around a picture, so that colour at half resolution finds the colour of the edge and not black beside it.
_AIR_PX = 2
_BYTES_A_PX = 4

Typed = Callable[[float], Image.Image]
"""The picture with a share of its letters, from the first, as large as with all of them."""


def reel_box(size: tuple[int, int], poses: Sequence[Pose], at: tuple[int, int]) -> Box:
    """Where on the canvas all frames of a picture of that size lie that stands at `at`; even px, even sides."""
    corners = [_corners(size, pose) for pose in poses]
    left = at[0] + floor(min(corner[0] for corner in corners)) - _AIR_PX & ~1
    top = at[1] + floor(min(corner[1] for corner in corners)) - _AIR_PX & ~1
    right = at[0] + ceil(max(corner[2] for corner in corners)) + _AIR_PX + 1 & ~1
    bottom = at[1] + ceil(max(corner[3] for corner in corners)) + _AIR_PX + 1 & ~1
    return Box(left, top, right - left, bottom - top)


def reel_bytes(box: Box, frames: int) -> int:
    """How large the file gets."""
    return box.w * box.h * _BYTES_A_PX * frames


def shoot(
    image: Image.Image, at: tuple[int, int], poses: Sequence[Pose], box: Box, path: Path, typed: Typed | None = None
) -> None:
    """Write the frames of an RGBA picture that stands at `at` on the canvas; `box` is what `reel_box` says.

    Raises:
        OSError: there is no space, for one.
    """
    corner = box.x - at[0], box.y - at[1]
    with path.open("wb") as file:
        for pose in poses:
            seen = typed(pose.letters) if typed is not None and pose.letters < 1 else image
            file.write(_frame(_with_air(seen), pose, corner, (box.w, box.h)).tobytes())


def _corners(size: tuple[int, int], pose: Pose) -> tuple[float, float, float, float]:
    x, y = size[0] / 2, size[1] / 2
    return (
        x - x * pose.scale + pose.dx,
        y - y * pose.scale + pose.dy,
        x + x * pose.scale + pose.dx,
        y + y * pose.scale + pose.dy,
    )


def _with_air(image: Image.Image) -> Image.Image:
    """With transparent px of the neighbouring colour around it."""
    air = image.resize((image.width + 2 * _AIR_PX, image.height + 2 * _AIR_PX), Image.Resampling.NEAREST)
    air.putalpha(0)
    air.paste(image, (_AIR_PX, _AIR_PX))
    return air


def _frame(image: Image.Image, pose: Pose, corner: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """A picture with air around it in its pose. `corner` is the frame's own in px of the picture without air.

    Colour and alpha are moved each for itself, for colour goes on behind alpha 0.
    """
    if (pose.dx, pose.dy, pose.scale) == (0, 0, 1):
        frame = Image.new("RGBA", size)
        frame.paste(image, (-corner[0] - _AIR_PX, -corner[1] - _AIR_PX))
    else:
        moved = [
            part.transform(size, Image.Transform.AFFINE, _matrix(image, pose, corner), Image.Resampling.BICUBIC)
            for part in (image.convert("RGB"), image.getchannel("A"))
        ]
        frame = moved[0]
        frame.putalpha(moved[1])
    if pose.opacity < 1:
        frame.putalpha(frame.getchannel("A").point([round(value * pose.opacity) for value in range(256)]))
    return frame


def _matrix(image: Image.Image, pose: Pose, corner: tuple[int, int]) -> tuple[float, float, float, float, float, float]:
    """From px of the frame to px of the picture with its air, as Pillow wants it."""
    x, y = image.width / 2, image.height / 2
    by = 1 / pose.scale
    return (
        *(by, 0.0, (corner[0] + _AIR_PX - x - pose.dx) * by + x),
        *(0.0, by, (corner[1] + _AIR_PX - y - pose.dy) * by + y),
    )
