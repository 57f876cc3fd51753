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


PROFILES = {
    "draft": Profile("ultrafast", 26, "bframes=0", 96),
    "social": Profile(
        "superfast", 23, "mbtree=1:rc-lookahead=10:b-adapt=0:bframes=3:weightp=0:sync-lookahead=0", 128
    ),
    "high": Profile("fast", 19, "rc-lookahead=20", 192),
}


def video_args(quality: str, gop: int, threads: int) -> list[str]:
    """FFmpeg's options for the picture: H.264 High in closed groups of `gop` frames, tagged BT.709 limited range."""
    profile = PROFILES[quality]
    return [
        *("-c:v", "libx264", "-preset", profile.preset, "-crf", f"{profile.crf:g}", "-profile:v", "high"),
        *("-pix_fmt", "yuv420p", "-g", str(gop), "-threads:v", str(threads)),
        *("-x264-params", f"{profile.x264}:open-gop=0"),
        *("-color_range", "tv", "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"),
    ]


def audio_args(quality: str) -> list[str]:
    """FFmpeg's options for the sound: AAC in stereo."""
    return ["-c:a", "aac", "-b:a", f"{PROFILES[quality].audio_kbps}k", "-ac", "2"]
