"""Whether a finished file is the film that its Timeline promises. An exit code of 0 proves nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from render.errors import FFmpegFailed, MediaError, VerifyError
from render.ffmpeg import FFmpeg, source
from render.probe import VideoInfo, probe
from render.timeline import Timeline

SOUND_TOLERANCE_S = Fraction(1, 10)
_DECODE_S = 120.0


def verify(path: Path, timeline: Timeline, ffmpeg: FFmpeg) -> None:
    """Check streams, size, every frame's presence, the sound's length, and that the last second decodes.

    Raises:
        VerifyError: the file is something else than promised.
    """
    try:
        info = probe(path, ffmpeg)
    except MediaError as exc:
        raise VerifyError("the finished file cannot be read") from exc
    if info.video is None or info.audio is None:
        raise VerifyError("the finished file lacks picture or sound")
    _check_picture(info.video, timeline)
    if abs(info.audio.duration_s - timeline.duration_s) > SOUND_TOLERANCE_S:
        raise VerifyError(f"the sound lasts {float(info.audio.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")
    _decode_end(path, ffmpeg)


def _check_picture(video: VideoInfo, timeline: Timeline) -> None:
    if (video.width, video.height) != (timeline.width, timeline.height):
        raise VerifyError(f"the picture is {video.width}x{video.height}, not {timeline.width}x{timeline.height}")
    if video.frames != timeline.frames:
        raise VerifyError(f"the film has {video.frames} frames, not {timeline.frames}")
    if abs(video.duration_s - timeline.duration_s) > 1 / timeline.rate:
        raise VerifyError(f"the film lasts {float(video.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")


def _decode_end(path: Path, ffmpeg: FFmpeg) -> None:
    args = [
        "-v",
        "error",
        "-xerror",
        *source(path, "-sseof", "-1"),
        "-map",
        "0:v:0",
        "-map",
        "0:a:0",
        "-f",
        "null",
        "-",
    ]
    try:
        complaints = ffmpeg.capture(args, wall_s=_DECODE_S).stderr.strip()
    except FFmpegFailed as exc:
        raise VerifyError("the last second of the film cannot be decoded") from exc
    if complaints:
        raise VerifyError("the last second of the film decodes with errors")
