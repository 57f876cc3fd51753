"""Looks at a video file in a process of its own: numpy and OpenCV stay out of the worker, and so does what breaks them.

`python -m render.inspect` answers one request with one line of JSON. The functions that start it need nothing heavy.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from render.child import Files, answer, ask
from render.errors import FFmpegFailed, MediaError
from render.ffmpeg import FFmpeg, source
from render.moments import Moment, moments
from render.plain import from_plain
from render.probe import MediaInfo, VideoInfo, probe
from render.timeline import Timeline

if TYPE_CHECKING:
    from render.cues import Frames

# An eighth of a core takes minutes for a large clip.
INSPECT_S = 3_600.0
_DECODE_S = 1_800.0
# A clip that gives less than this, in source seconds, is no shot.
MIN_CLIP_S = 1.0
_THUMBNAIL_SIDE_PX = 160
_SHORT_FRAMES = 900
# Of the frames asked for so many must come; low rates give a few less than asked.
_ENOUGH = 0.6


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a clip is and shows. `defect` says why it must not be used, or is empty; `focus` is shares of its sides."""

    info: MediaInfo | None
    focus: tuple[float, float]
    defect: str


def inspect_clip(path: Path, ffmpeg: FFmpeg) -> Inspection:
    """Probe a clip and look at it. A clip that cannot be used is an answer, not an error.

    Raises:
        FFmpegError, Cancelled: the look could not be had now; it says nothing about the clip.
    """
    try:
        question = _Question(path.absolute())
        return from_plain(Inspection, ask("render.inspect", question, Files(path), ffmpeg, wall_s=INSPECT_S))
    except MediaError as exc:
        return Inspection(None, (0.5, 0.5), str(exc))


def make_thumbnail(film: Path, timeline: Timeline, out: Path, ffmpeg: FFmpeg) -> None:
    """Write the frame that stands for a film as JPEG, through `<out>.part` beside it.

    Raises:
        MediaError, FFmpegError, Cancelled: no frame can be read, or not now.
    """
    size = _small(timeline.width, timeline.height, _THUMBNAIL_SIDE_PX)
    question = _Question(film.absolute(), _Choice(out.absolute(), moments(timeline), size))
    ask("render.inspect", question, Files(film, out.parent), ffmpeg, wall_s=INSPECT_S)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A thumbnail to be written: one of some moments of a film, judged by frames of `size` px."""

    out: Path
    moments: tuple[Moment, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Question:
    """What is to be found out of a file: what it shows, or, with a choice, which moment stands for it."""

    source: Path
    choice: _Choice | None = None


def _inspect(path: Path, ffmpeg: FFmpeg) -> Inspection:
    centre = (0.5, 0.5)
    try:
        info = probe(path, ffmpeg)
        if info.video is None:
            return Inspection(info, centre, "it holds no picture")
        if info.video.duration_s < MIN_CLIP_S:
            return Inspection(info, centre, f"it is too short: {float(info.video.duration_s):.2f} s")
        return _look(info, info.video, ffmpeg)
    except (MediaError, FFmpegFailed) as exc:
        return Inspection(None, centre, f"it is broken: {exc}")


def _look(info: MediaInfo, video: VideoInfo, ffmpeg: FFmpeg) -> Inspection:
    from render import vision

    look = vision.look(_samples(info.path, video, ffmpeg))
    defect = (
        "it shows nothing but black or one colour" if look.black else "its picture does not move" if look.frozen else ""
    )
    return Inspection(info, (look.focus_x, look.focus_y), defect)


def _samples(path: Path, video: VideoInfo, ffmpeg: FFmpeg) -> Frames:
    """Take close pairs of small frames, evenly spread over the clip."""
    import numpy as np

    from render.vision import PAIR_GAP_S, SAMPLES, SIDE_PX

    size = _small(float(video.width * video.sar), video.height, SIDE_PX)
    step_s = float(video.duration_s) / SAMPLES
    gap_s = min(PAIR_GAP_S, step_s / 2)
    if video.frames <= _SHORT_FRAMES:
        frames = _pairs_in_one_pass(path, size, step_s, gap_s, ffmpeg)
    else:
        starts_s = (step_s * (number + 0.5) - gap_s / 2 for number in range(SAMPLES))
        frames = np.concatenate([_pair(path, size, start_s, gap_s, ffmpeg) for start_s in starts_s])
    if len(frames) < max(2, _ENOUGH * min(2 * SAMPLES, video.frames)):
        raise MediaError("much of it cannot be decoded")
    return frames


def _pairs_in_one_pass(path: Path, size: tuple[int, int], step_s: float, gap_s: float, ffmpeg: FFmpeg) -> Frames:
    """Decode all of a short clip, which may be one group of pictures: each seek would start at its beginning again."""
    first, second = (f"{step_s * 3 / 4 - shift_s:.6f}" for shift_s in (0, gap_s))
    crossed = "+".join(f"gt(floor((t+{a})/{step_s:.6f})\\,floor((prev_t+{a})/{step_s:.6f}))" for a in (first, second))
    steps = f"setpts=PTS-STARTPTS,select='{crossed}',{_shrink(size)}"
    args = [*source(path, "-threads", "1"), "-map", "0:V:0", "-fps_mode", "passthrough", "-vf", steps]
    return _pixels(args, size, ffmpeg)


def _pair(path: Path, size: tuple[int, int], start_s: float, gap_s: float, ffmpeg: FFmpeg) -> Frames:
    """Seek in a long clip, which costs less than decoding everything in between."""
    steps = f"fps=1/{gap_s:.6f}:start_time=0,{_shrink(size)}"
    cut = ["-ss", f"{max(0.0, start_s):.3f}", "-threads", "1"]
    return _pixels([*source(path, *cut), "-map", "0:V:0", "-vf", steps, "-frames:v", "2"], size, ffmpeg)


def _shrink(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]}:flags=area"


def _small(width: float, height: int, side_px: int) -> tuple[int, int]:
    factor = side_px / max(width, height)
    return max(16, round(width * factor)), max(16, round(height * factor))


def _pixels(args: list[str], size: tuple[int, int], ffmpeg: FFmpeg) -> Frames:
    import numpy as np

    raw = ffmpeg.capture(["-v", "error", *args, "-pix_fmt", "bgr24", "-f", "rawvideo", "-"], wall_s=_DECODE_S).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def _thumbnail(film: Path, choice: _Choice, ffmpeg: FFmpeg) -> None:
    """Choose among the moments, where there is a choice, and write the chosen one at full size."""
    at = 0
    if len(choice.moments) > 1:
        import numpy as np

        from render.appeal import best_frame

        # What the loop filter would do to the picture nobody sees at this size.
        roughly = ("-skip_loop_filter", "all")
        frames = [
            _pixels([*_sought(film, moment, *roughly), "-vf", _shrink(choice.size)], choice.size, ffmpeg)
            for moment in choice.moments
        ]
        at = best_frame(np.concatenate(frames), [moment.worth for moment in choice.moments])
    part = choice.out.with_name(choice.out.name + ".part")
    written = ["-q:v", "3", "-update", "1", "-f", "image2", str(part)]
    ffmpeg.capture(["-v", "error", "-y", *_sought(film, choice.moments[at]), *written], wall_s=60, writes=part.parent)
    part.rename(choice.out)


def _sought(film: Path, moment: Moment, *options: str) -> list[str]:
    """Arguments that give one frame of a film."""
    # Rounded down, since what lies before is dropped; but never before a key frame, or a whole group is decoded for it.
    seek = ["-ss", f"{math.floor(moment.at_s * 1_000_000)}us"] if moment.frame else []
    return [*source(film, "-threads", "1", "-an", *options, *seek), "-map", "0:V:0", "-frames:v", "1"]


def _find(question: _Question, ffmpeg: FFmpeg) -> Inspection | None:
    if question.choice is None:
        return _inspect(question.source, ffmpeg)
    _thumbnail(question.source, question.choice, ffmpeg)
    return None


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], _Question, _find))
