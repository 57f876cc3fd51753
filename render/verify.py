"""Whether a finished file is the film that its Timeline promises, for an exit code of 0 proves nothing; and how loud it
came out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from render.errors import FFmpegFailed, VerifyError
from render.ffmpeg import FFmpeg, source
from render.loudness import decibels
from render.probe import LISTED, Packets, packets
from render.timeline import Timeline

SOUND_TOLERANCE_S = Fraction(1, 10)
# An AAC encoder begins up to a few frames of 1024 samples early.
_PRIMING_S = Fraction(1, 10)
_READ_S = 900.0  # an eighth of a core takes minutes for the last second of the largest film


# FFmpeg's meter calls silence this.
_SILENCE_LUFS = -70.0


@dataclass(frozen=True, slots=True)
class Loudness:
    """What was measured of a film's sound: integrated loudness (ITU-R BS.1770-5) and true peak, minus infinity each
    where there is silence."""

    lufs: float = -math.inf
    true_peak_dbtp: float = -math.inf


def verify(path: Path, timeline: Timeline, ffmpeg: FFmpeg) -> Loudness:
    """Check streams, size, every frame's presence, the sound's length, that the last second and all sound decode.

    Raises:
        VerifyError: the file is something else than promised.
    """
    meter, listing = _apart(_read(path, timeline, ffmpeg))
    video, audio = packets(listing)
    if video is None or audio is None:
        raise VerifyError("the finished file lacks picture or sound")
    _check_picture(video, timeline)
    if abs(video.start_s) > 1 / timeline.rate or abs(audio.start_s) > _PRIMING_S:
        raise VerifyError("picture and sound of the finished file do not begin together, at its start")
    if abs(audio.duration_s - timeline.duration_s) > SOUND_TOLERANCE_S:
        raise VerifyError(f"the sound lasts {float(audio.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")
    return _loudness(meter)


def _check_picture(video: Packets, timeline: Timeline) -> None:
    if video.size != (timeline.width, timeline.height):
        width, height = video.size
        raise VerifyError(f"the picture is {width}x{height}, not {timeline.width}x{timeline.height}")
    if video.packets != timeline.frames:
        raise VerifyError(f"the film has {video.packets} frames, not {timeline.frames}")
    if abs(video.duration_s - timeline.duration_s) > 1 / timeline.rate:
        raise VerifyError(f"the film lasts {float(video.duration_s):.2f} s, not {float(timeline.duration_s):.2f}")


def _read(path: Path, timeline: Timeline, ffmpeg: FFmpeg) -> str:
    """List the packets of a film, decode its last second and meter its sound, all in one run: more cost more.

    What the loop filter would do to the picture nobody sees here, and no error can come of it.
    """
    whole = source(path)
    end = source(path, "-threads", "1", "-skip_loop_filter", "all", "-an", "-sseof", "-1")
    listed = ["-map", "0:V:0?", "-map", "0:a:0?", "-flush_packets", "1", *LISTED]
    decoded = ["-map", "1:V:0?", "-map", "0:a:0?", "-af", _metered(timeline), "-f", "null", "-"]
    try:
        found = ffmpeg.capture(["-v", "error", "-xerror", *whole, *end, *listed, *decoded], wall_s=_READ_S)
    except FFmpegFailed as exc:
        raise VerifyError("the finished file cannot be read, or its last second not be decoded") from exc
    if found.stderr.strip():
        raise VerifyError("the finished file reads or decodes with errors")
    return found.stdout.decode("ascii", "replace")


def _metered(timeline: Timeline) -> str:
    """Steps that print what was metered up to the end of the sound: the meter tells of whole tenths of a second."""
    end_s = float(timeline.duration_s) - 0.2
    return f"apad=pad_dur=0.1,ebur128=metadata=1:peak=true,aselect=gt(t\\,{end_s:.3f}),ametadata=print:file=-"


def _apart(printed: str) -> tuple[dict[str, str], str]:
    """The meter's last values by name, and the lines of the listing."""
    meter: dict[str, str] = {}
    listing: list[str] = []
    for line in printed.splitlines():
        name, _, value = line.partition("=")
        if name.startswith("lavfi."):
            meter[name] = value
        elif not name.startswith("frame:"):
            listing.append(line)
    return meter, "\n".join(listing)


def _loudness(meter: dict[str, str]) -> Loudness:
    try:
        lufs, peak = float(meter["lavfi.r128.I"]), float(meter["lavfi.r128.true_peak"])
    except (KeyError, ValueError) as exc:
        raise VerifyError("the finished file's sound cannot be measured") from exc
    return Loudness(lufs if lufs > _SILENCE_LUFS else -math.inf, decibels(peak))
