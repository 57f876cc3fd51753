"""From a picture of floats to a frame that an encoder takes.

Knows nothing of the styles, of files or of FFmpeg. Runs in the generating child process only (numpy, OpenCV).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Colour = tuple[float, float, float]

# BT.709 limited range (Rec. ITU-R BT.709-6, section 3), from R'G'B' 0..1 to Y'CbCr as 8-bit code values.
_TO_YCC = np.array(
    [
        [219 * 0.2126, 219 * 0.7152, 219 * 0.0722, 16.0],
        [-224 * 0.2126 / 1.8556, -224 * 0.7152 / 1.8556, 224 * 0.5, 128.0],
        [224 * 0.5, -224 * 0.7152 / 1.5748, -224 * 0.0722 / 1.5748, 128.0],
    ],
    np.float32,
)


class Film:
    """Turns R'G'B' pictures of any smaller size into I420 frames of `width` x `height` (both even) with a fine grain.

    The grain is dither: without it a slow dark gradient shows steps once it is rounded to 8 bits. It does not move,
    because an encoder pays for still grain once and for living grain in every frame (five times the bytes, and it still
    loses it); at `grain`, its standard deviation in 8-bit steps of luma, the eye does not see that it stands still.
    """

    def __init__(self, width: int, height: int, seed: int, grain: float = 1.3) -> None:
        # Its own generator: what a seed paints must not depend on the size it is painted at.
        noise = np.random.default_rng([seed, 1]).standard_normal((height, width), np.float32)
        soft = np.asarray(cv2.GaussianBlur(noise, (3, 3), 0.5), np.float32)
        self._grain = soft * np.float32(grain / soft.std())
        self._grain_small = self._grain[: height // 2, : width // 2] * np.float32(0.6)
        self._size, self._size_small = (width, height), (width // 2, height // 2)
        self._full = np.empty((height, width), np.float32)
        self._frame = np.empty((height * 3 // 2, width), np.uint8)

    def develop(self, picture: Floats, details: Floats | None = None) -> Bytes:
        """One I420 frame, shape (height * 3 / 2, width), from `picture` (h, w, 3), R'G'B' 0..1.

        `details` (height, width), in 8-bit steps of luma, are added at full size: what is too fine for the picture.
        The frame is overwritten by the next call.
        """
        luma, cb, cr = self._planes()
        y, *chroma = cv2.split(cv2.transform(picture, _TO_YCC))
        cv2.resize(y, self._size, dst=self._full, interpolation=cv2.INTER_CUBIC)
        if details is not None:
            cv2.add(self._full, details, dst=self._full)
        cv2.add(self._full, self._grain, dst=luma, dtype=cv2.CV_8U)
        for plane, values in zip((cb, cr), chroma, strict=True):
            sized = cv2.resize(values, self._size_small, interpolation=cv2.INTER_LINEAR)
            cv2.add(sized, self._grain_small, dst=plane, dtype=cv2.CV_8U)
        return self._frame

    def _planes(self) -> tuple[Bytes, Bytes, Bytes]:
        width, height = self._size
        chroma = self._frame[height:].reshape(2, height // 2, width // 2)
        return self._frame[:height], chroma[0], chroma[1]
