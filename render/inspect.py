"""Looks at a video file in a process of its own: numpy and OpenCV stay out of the worker, and so does what breaks them.

`python -m render.inspect` answers one request with one line of JSON. The functions that start it need nothing heavy.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from render.errors import FFmpegFailed, FFmpegLost, FFmpegOutOfMemory, FFmpegTimeout, MediaError, NoSpace
from render.ffmpeg import TAIL_BYTES, FFmpeg, source
from render.moments import Moment, moments
from render.plain import from_plain, to_plain
from render.probe import MediaInfo, VideoInfo, probe
from render.running import Deadline, Kept, follow
from render.sandbox import ENVIRONMENT, Child, Limits, Sandbox, die_with_parent, limit
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
_BAD_FILE, _NO_SPACE = 4, 5
# Signals that a decoder or OpenCV dies of by itself; SIGKILL comes from outside, as when memory runs out.
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_LIMITS = Limits()
# OpenBLAS, which is not used, takes memory for every core.
_ENVIRONMENT = {**ENVIRONMENT, "OPENBLAS_NUM_THREADS": "1"}
_ROOT = Path(__file__).resolve().parent.parent


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
        return from_plain(Inspection, _apart("clip", ffmpeg, path))
    except MediaError as exc:
        return Inspection(None, (0.5, 0.5), str(exc))


def make_thumbnail(film: Path, timeline: Timeline, out: Path, ffmpeg: FFmpeg) -> None:
    """Write the frame that stands for a film as JPEG, through `<out>.part` beside it.

    Raises:
        MediaError, FFmpegError, Cancelled: no frame can be read, or not now.
    """
    size = _small(timeline.width, timeline.height, _THUMBNAIL_SIDE_PX)
    _apart("thumbnail", ffmpeg, film, _Choice(out.absolute(), moments(timeline), size))


@dataclass(frozen=True, slots=True)
class _Choice:
    """A thumbnail to be written: one of some moments of a film, judged by frames of `size` px."""

    out: Path
    moments: tuple[Moment, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Request:
    """What the child is to do, with which FFmpeg, and who wants it."""

    what: str
    source: Path
    choice: _Choice | None
    executable: str
    pass_fds: tuple[int, ...]
    niceness: int
    parent: int


def _apart(what: str, ffmpeg: FFmpeg, source: Path, choice: _Choice | None = None) -> Any:
    """Ask a child process, and kill its whole group when it takes too long.

    Raises:
        MediaError: the file is why there is no answer.
        FFmpegError, Cancelled: something else is, so the file may be asked about again.
    """
    request = _Request(
        what, source.absolute(), choice, ffmpeg.executable, ffmpeg.pass_fds, ffmpeg.niceness, os.getpid()
    )
    child = Child(
        [sys.executable, "-m", "render.inspect", json.dumps(to_plain(request))],
        pass_fds=ffmpeg.pass_fds,
        env=_ENVIRONMENT,
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    kept = Kept()
    try:
        limit(child, _LIMITS)
        ended = follow(child, kept.take, Deadline("the look", INSPECT_S, ffmpeg.cancelled).check)
    except FFmpegTimeout as exc:
        raise FFmpegTimeout(f"{source.name} took longer than {INSPECT_S:g} s to look at") from exc
    finally:
        child.end()
    if ended.code == 0:
        return json.loads(kept.out)
    tail = kept.err[-TAIL_BYTES:]
    if ended.code == _BAD_FILE or -ended.code in _CRASHES:
        raise MediaError(f"{source.name} cannot be looked at") from FFmpegFailed("the look failed", tail)
    if ended.code == _NO_SPACE:
        raise NoSpace(f"there was no space left to look at {source.name}", tail)
    if -ended.code == signal.SIGKILL:
        raise FFmpegOutOfMemory(f"looking at {source.name} was ended, as happens where memory runs out", tail)
    raise FFmpegLost(f"{source.name} could not be looked at now", tail)


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


def main(argv: list[str]) -> int:
    """Answer the one request in `argv`, confined to what it is about."""
    request = from_plain(_Request, json.loads(argv[0]))
    if not die_with_parent(request.parent):
        return 1
    ffmpeg = FFmpeg(request.executable, pass_fds=request.pass_fds)
    _confine(request, ffmpeg)
    try:
        answer = None
        if request.choice is None:
            answer = to_plain(_inspect(request.source, ffmpeg))
        else:
            _thumbnail(request.source, request.choice, ffmpeg)
    except (MediaError, FFmpegFailed, MemoryError) as exc:
        print(repr(exc), file=sys.stderr)
        return _BAD_FILE
    except NoSpace as exc:
        print(exc.tail, file=sys.stderr)
        return _NO_SPACE
    print(json.dumps(answer))
    return 0


def _confine(request: _Request, ffmpeg: FFmpeg) -> None:
    """Before anything of the file is read, and before numpy and OpenCV are loaded, whose threads inherit it."""
    python = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix))
    Sandbox(
        runs=(*python, *ffmpeg.programs()),
        reads=(_ROOT / "render", request.source),
        writes=(request.choice.out.parent,) if request.choice else (),
        niceness=request.niceness,
    ).enter()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
