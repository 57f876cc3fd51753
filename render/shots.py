"""Which clip is shown when: lays shots one after the other until a film is full. Pure; knows no overlays, no sound.

Where shots cross over, the next begins before the one before it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from render.errors import NoClips
from render.layout import Canvas, cover
from render.probe import MediaInfo, VideoInfo
from render.spec import Video
from render.timeline import Grade, Layer, Media, Transition

# A shot shorter than this reads as a glitch; the one before it gives up time instead.
MIN_SHOT_S = Fraction(3, 2)
# Fewer frames than this are a cut that went wrong.
_FEWEST_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Clip:
    """A usable clip: its streams and where in the picture (shares of width and height) the eye goes."""

    info: MediaInfo
    video: VideoInfo
    focus: tuple[float, float] = (0.5, 0.5)


def seeded_share(seed: int, *names: str) -> float:
    """A number from 0 up to 1 that depends on nothing but the seed and the names; the same on every machine."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def lay_out(
    video: Video, seed: int, clips: Iterable[Clip], canvas: Canvas, rate: Fraction, frames: int
) -> Iterator[Layer]:
    """Fill `frames` frames with shots.

    `clips` are asked for only as long as the film is not full. When they run out, it goes on with the first again.

    Raises:
        NoClips: there is not a single clip.
    """
    speed = Fraction(str(video.speed))
    grade = Grade(video.exposure, video.brightness, video.contrast, video.saturation, video.blur * canvas.scale)
    wanted = 0 if video.transition == "cut" else round(Fraction(str(video.transition_duration)) * rate)
    at = 0
    alone = 0  # frames of the shot before that no other shares
    for clip in _endlessly(_long_enough(clips, speed)):
        available = _available(clip.video, speed, rate)
        overlap = min(wanted, available // 2, alone // 2)
        crossing = (
            None if video.transition == "cut" or overlap < _FEWEST_FRAMES else Transition(video.transition, overlap)
        )
        start = at - overlap if crossing else at
        length = _shot_frames(available, rate, frames - start)
        media = replace(
            _media(clip, start, length, speed, rate, canvas, grade, seed), smooth=video.smooth, look=video.look
        )
        yield Layer(media, start, length, transition=crossing)
        at, alone = start + length, start + length - at
        if at >= frames:
            return
    raise NoClips("the style holds no clip that can be used")


def _long_enough(clips: Iterable[Clip], speed: Fraction) -> Iterator[Clip]:
    """Leave out clips that would be over in a flash, unless there are no others."""
    flashes = []
    others = False
    for clip in clips:
        if clip.video.duration_s / speed >= MIN_SHOT_S:
            others = True
            yield clip
        else:
            flashes.append(clip)
    if not others:
        yield from flashes


def _endlessly(clips: Iterable[Clip]) -> Iterator[Clip]:
    used: list[Clip] = []
    for clip in clips:
        used.append(clip)
        yield clip
    while used:
        yield from used


def _available(video: VideoInfo, speed: Fraction, rate: Fraction) -> int:
    return max(1, int(video.duration_s / speed * rate))


def _shot_frames(available: int, rate: Fraction, room: int) -> int:
    """How long a clip of `available` frames is shown where `room` frames are still empty."""
    if available >= room:
        return room
    shortest = int(MIN_SHOT_S * rate)
    rest = room - available
    return room - shortest if rest < shortest <= room - shortest else available


def _media(
    clip: Clip, at: int, length: int, speed: Fraction, rate: Fraction, canvas: Canvas, grade: Grade, seed: int
) -> Media:
    video = clip.video
    slack = max(Fraction(0), video.duration_s - length / rate * speed)
    share = seeded_share(seed, "offset", clip.info.path.name, str(at))
    return Media(
        path=clip.info.path,
        start_s=Fraction(int(slack * 1000 * Fraction(share)), 1000),
        speed=speed,
        rate=video.rate,
        width=video.width,
        height=video.height,
        crop=cover(video.width, video.height, canvas, clip.focus, video.sar),
        matrix=video.matrix,
        full_range=video.full_range,
        hdr=video.hdr,
        grade=grade,
        seekable=video.seekable,
    )
