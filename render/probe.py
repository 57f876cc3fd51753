"""A media file -> what FFmpeg finds in it. Uses only machine-readable output, since no ffprobe is shipped.

`-c copy -f framecrc` lists every packet's time without decoding, so durations and rates hold for files that carry no
frame count or a sound track longer than the picture. The `showinfo` filter describes the first decoded, upright frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from render.errors import FFmpegFailed, MediaError
from render.ffmpeg import FFmpeg, source

PROBE_S = 120.0

# An untagged file means BT.601 below 720 lines and BT.709 from there, as players take it.
_HD_LINES = 720
# Lists the packets of the streams that are mapped before it; `packets` reads what it writes.
LISTED = ("-c", "copy", "-copyts", "-f", "framecrc", "-")
_NO_TIME = -(2**63)
_DISCARD = 0x4
_WITHOUT_INDEX = ("mpegts", "mpeg", "mpegvideo")
_HDR = {"arib-std-b67": "hlg", "smpte2084": "pq"}
_RGB_FORMATS = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8")
_SHOWINFO = re.compile(r"\[Parsed_showinfo_\d+ @ 0x[0-9a-f]+\] +(.*)")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The first picture stream, upright. `rate` is the mean of frames a second, `sar` a pixel's width over height.

    `seekable` is false where a seek may land behind its aim, as in MPEG streams, which have no index.
    """

    width: int
    height: int
    sar: Fraction
    rate: Fraction
    frames: int
    duration_s: Fraction
    pixel_format: str
    matrix: str
    full_range: bool
    hdr: str
    codec: str
    seekable: bool = True


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The first sound stream."""

    duration_s: Fraction
    sample_rate: int
    channels: int
    codec: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds; a part is None where the file has none."""

    path: Path
    video: VideoInfo | None
    audio: AudioInfo | None


@dataclass(slots=True)
class Packets:
    """Facts of one stream, gathered from a framecrc listing. Times are in ticks of `tick`, `size` is a picture's."""

    tick: Fraction = Fraction(1)
    kind: str = ""
    codec: str = ""
    sample_rate: int = 0
    channels: int = 0
    size: tuple[int, int] = (0, 0)
    packets: int = 0
    first: int | None = None
    last: int = 0
    last_end: int = 0

    def add(self, pts: int, ticks: int) -> None:
        """Count one packet."""
        self.packets += 1
        self.first = pts if self.first is None else min(self.first, pts)
        self.last = max(self.last, pts)
        self.last_end = max(self.last_end, pts + ticks)

    @property
    def start_s(self) -> Fraction:
        """The first packet's time."""
        return (self.first or 0) * self.tick

    @property
    def duration_s(self) -> Fraction:
        """From the first packet's time to the end of the last."""
        return (self.last_end - (self.first or 0)) * self.tick

    @property
    def rate(self) -> Fraction:
        """Mean frames a second, from the first frame's time to the last's."""
        span = (self.last - (self.first or 0)) * self.tick
        if self.packets < 2 or span <= 0:
            return 1 / self.duration_s if self.duration_s > 0 else Fraction(25)
        return max(Fraction(1, 1001), ((self.packets - 1) / span).limit_denominator(1001))


def probe(path: Path, ffmpeg: FFmpeg) -> MediaInfo:
    """Read a file's streams.

    Raises:
        MediaError: FFmpeg cannot open it, or it holds neither picture nor sound.
        FFmpegError: FFmpeg itself could not do its work, which says nothing about the file.
    """
    # The first frame is described apart from the listing, because without a picture that run has nothing to map.
    listing = _listing(path, ffmpeg)
    video, audio = packets(listing)
    if video is None and audio is None:
        raise MediaError(f"{path.name} holds neither picture nor sound")
    return MediaInfo(path, _video(path, ffmpeg, video) if video else None, _audio(audio) if audio else None)


def _listing(path: Path, ffmpeg: FFmpeg) -> str:
    maps = ["-map", "0:V:0?", "-map", "0:a:0?", *LISTED]
    try:
        return ffmpeg.capture(["-v", "error", *source(path), *maps], wall_s=PROBE_S).stdout.decode("ascii", "replace")
    except FFmpegFailed as exc:
        raise MediaError(f"{path.name} cannot be read as a video, sound or picture file") from exc


def packets(listing: str) -> tuple[Packets | None, Packets | None]:
    """The first picture stream and the first sound stream of a listing, each None where it has no packet."""
    found: dict[int, Packets] = {}
    for line in listing.splitlines():
        if match := re.match(r"#(\w+) (\d+): +(.+)", line):
            _set_fact(found.setdefault(int(match.group(2)), Packets()), match.group(1), match.group(3))
        elif not line.startswith("#"):
            index, dts, pts, ticks, *rest = (part.strip() for part in line.split(","))
            # What an edit list cuts away is still there, marked to be discarded after decoding.
            if not any(part.startswith("F=") and int(part[2:], 16) & _DISCARD for part in rest):
                found[int(index)].add(int(pts) if int(pts) != _NO_TIME else int(dts), int(ticks))
    streams = [found[index] for index in sorted(found) if found[index].packets]
    video, audio = (next((s for s in streams if s.kind == kind), None) for kind in ("video", "audio"))
    return video, audio


def _set_fact(stream: Packets, name: str, value: str) -> None:
    if name == "tb":
        stream.tick = Fraction(value)
    elif name == "media_type":
        stream.kind = value
    elif name == "codec_id":
        stream.codec = value
    elif name == "dimensions":
        width, _, height = value.partition("x")
        stream.size = (int(width), int(height))
    elif name == "sample_rate":
        stream.sample_rate = int(value)
    elif name == "channel_layout_name":
        stream.channels = {"mono": 1, "stereo": 2}.get(value, 0)


def _audio(stream: Packets) -> AudioInfo:
    return AudioInfo(stream.duration_s, stream.sample_rate, stream.channels, stream.codec)


def _video(path: Path, ffmpeg: FFmpeg, stream: Packets) -> VideoInfo:
    frame = _first_frame(path, ffmpeg)
    try:
        width, height = (int(part) for part in frame["s"].split("x"))
        over, under = (int(part) for part in frame["sar"].split("/"))
        pixel_format = frame["fmt"]
    except (KeyError, ValueError) as exc:
        raise MediaError(f"{path.name} holds a picture that cannot be described") from exc
    sar = Fraction(over, under) if over > 0 and under > 0 else Fraction(1)
    is_rgb = pixel_format.startswith(_RGB_FORMATS)
    matrix = "gbr" if is_rgb else frame.get("color_space", "unknown")
    if matrix == "unknown":
        matrix = "bt709" if min(width, height) >= _HD_LINES else "smpte170m"
    full = is_rgb or frame.get("color_range") == "pc" or pixel_format.startswith("yuvj")
    return VideoInfo(
        width=width,
        height=height,
        sar=sar,
        rate=stream.rate,
        frames=stream.packets,
        duration_s=stream.duration_s,
        pixel_format=pixel_format,
        matrix=matrix,
        full_range=full,
        hdr=_HDR.get(frame.get("color_trc", ""), ""),
        codec=stream.codec,
        seekable=frame.get("container") not in _WITHOUT_INDEX,
    )


def _first_frame(path: Path, ffmpeg: FFmpeg) -> dict[str, str]:
    """Describe the first frame as FFmpeg hands it to filters: rotated upright, with its colour tags."""
    show = ["-map", "0:V:0", "-frames:v", "1", "-vf", "showinfo=checksum=0", "-f", "null", "-"]
    try:
        log = ffmpeg.capture(["-v", "info", "-nostats", *source(path, "-threads", "1"), *show], wall_s=PROBE_S).stderr
    except FFmpegFailed as exc:
        raise MediaError(f"{path.name} holds a picture that cannot be decoded") from exc
    facts = dict(_pairs(log))
    if container := re.search(r"^Input #0, (\S+), from ", log, re.MULTILINE):
        facts["container"] = container.group(1)
    if "s" not in facts:
        raise MediaError(f"{path.name} holds a picture that cannot be decoded")
    return facts


def _pairs(log: str) -> Iterator[tuple[str, str]]:
    """Find `name:value` in the first frame's lines of a showinfo log."""
    found = (_SHOWINFO.match(line) for line in log.splitlines())  # a file's title may say anything, but is indented
    lines = [match.group(1) for match in found if match and not match.group(1).startswith("config ")]
    start = next((i for i, line in enumerate(lines) if re.match(r"n: *0 ", line)), None)
    if start is None:
        return
    for line in lines[start:]:
        if re.match(r"n: *[1-9]", line):
            return
        for match in re.finditer(r"\b(fmt|sar|s|color_range|color_space|color_trc):(\S+)", line):
            yield match.group(1), match.group(2)
