"""Whether a finished file is the film that its Timeline promises. An exit code of 0 proves nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from render.errors import FFmpegFailed, VerifyError
from render.ffmpeg import FFmpeg, source
from render.probe import LISTED, Packets, packets
from render.timeline import Timeline

SOUND_TOLERANCE_S = Fraction(1, 10)
# An AAC encoder begins up to a few frames of 1024 samples early.
_PRIMING_S = Fraction(1, 10)
_READ_S = 900.0  # an eighth of a core takes minutes for the last second of the largest film


def verify(path: Path, timeline: Timeline, ffmpeg: FFmpeg) -> None:
    """Check streams, size, every frame's presence, the sound's length, and that the last second decodes.

    Raises:
        VerifyError: the file is something else than promised.
    """
    video, audio = packets(_read(path, ffmpeg))
    if video is None or audio is None:
        raise VerifyError("the finished file lacks picture or sound")
    _check_picture(video, timeline)
    if abs(video.start_s) > 1 / timeline.rate or abs(audio.start_s) > _PRIMING_S:
        raise VerifyError("picture and sound of the finished file do not begin together, at its start")
    if abs(audio.duration_s - timeline.duration_s) > SOUND_TOLERANCE_S:
        raise VerifyError(f"the sound lasts {float(audio.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")


def _check_picture(video: Packets, timeline: Timeline) -> None:
    if video.size != (timeline.width, timeline.height):
        width, height = video.size
        raise VerifyError(f"the picture is {width}x{height}, not {timeline.width}x{timeline.height}")
    if video.packets != timeline.frames:
        raise VerifyError(f"the film has {video.packets} frames, not {timeline.frames}")
    if abs(video.duration_s - timeline.duration_s) > 1 / timeline.rate:
        raise VerifyError(f"the film lasts {float(video.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")


def _read(path: Path, ffmpeg: FFmpeg) -> str:
    """List the packets of a film and decode its last second, all in one run: three of them cost twice as much.

    What the loop filter would do to the picture nobody sees here, and no error can come of it.
    """
    whole = source(path)
    end = source(path, "-threads", "1", "-skip_loop_filter", "all", "-sseof", "-1")
    listed = ["-map", "0:V:0?", "-map", "0:a:0?", *LISTED]
    decoded = ["-map", "1:V:0?", "-map", "1:a:0?", "-f", "null", "-"]
    try:
        found = ffmpeg.capture(["-v", "error", "-xerror", *whole, *end, *listed, *decoded], wall_s=_READ_S)
    except FFmpegFailed as exc:
        raise VerifyError("the finished file cannot be read, or its last second not be decoded") from exc
    if found.stderr.strip():
        raise VerifyError("the finished file reads or decodes with errors")
    return found.stdout.decode("ascii", "replace")
