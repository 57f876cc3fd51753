"""Encoder profiles: what x264 and AAC are told for each quality. Knows nothing of what is encoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings of one quality: an x264 preset, its constant rate factor, x264 parameters on top, and AAC's bit rate."""

    preset: str
    crf: float
    x264: str
    audio_kbps: int


# All of them: groups of a fixed length, since a film of slow clips has no cuts worth an extra key frame; no lookahead
# thread of its own; adaptive quantisation by variance (aq-mode 2), at equal bytes one to two VMAF points above mode 1.
# `social` was chosen against veryfast at crf 23 (`vix bench`): on clips without grain -0.0005 to -0.0001 SSIM, -0.8 to
# +1.9 VMAF, 0.76 to 0.94 times the bytes. There is little room: a higher crf costs smooth water too much VMAF. Heavy
# moving grain takes it to 1.9 times the bytes, at +3 VMAF and more.
_COMMON = "scenecut=0:open-gop=0:sync-lookahead=0:aq-mode=2:mbtree=1"
_SOCIAL = "b-adapt=0:bframes=2:weightp=0:rc-lookahead=6:partitions=i8x8:subme=0"
_HIGH = "b-adapt=1:bframes=3:weightp=1:rc-lookahead=20:partitions=i8x8,i4x4,p8x8:subme=6:me=hex:ref=2:trellis=1"
_DRAFT = "b-adapt=0:bframes=3:weightp=0:rc-lookahead=6:cabac=1:deblock=0,0:8x8dct=1"

PROFILES = {
    "draft": Profile("ultrafast", 24, _DRAFT, 96),
    "social": Profile("superfast", 21.9, _SOCIAL, 128),
    "high": Profile("superfast", 20.5, _HIGH, 192),
}


def video_args(quality: str, gop: int, threads: int) -> list[str]:
    """FFmpeg's options for the picture: H.264 High in closed groups of `gop` frames, tagged BT.709 limited range."""
    profile = PROFILES[quality]
    return [
        *("-c:v", "libx264", "-preset", profile.preset, "-crf", f"{profile.crf:g}", "-profile:v", "high"),
        *("-pix_fmt", "yuv420p", "-g", str(gop), "-keyint_min", str(gop), "-threads:v", str(threads)),
        *("-x264-params", f"{_COMMON}:{profile.x264}"),
        *("-color_range", "tv", "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"),
    ]


def audio_args(quality: str) -> list[str]:
    """FFmpeg's options for the sound: AAC in stereo. The fast coder is as near to its source as the other."""
    return ["-c:a", "aac", "-aac_coder", "fast", "-b:a", f"{PROFILES[quality].audio_kbps}k", "-ac", "2"]
