"""Builds files that media readers trip over, or are tricked by, and clips with names that mean something to FFmpeg.

Made by the FFmpeg that ships and a seeded generator; knows nothing of the code under test.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests import media

# Of a whole picture; no hostile file shows it, so where it is seen a file was read that should not have been.
CANARY_COLOR = "red"
SIZE = "96x160"
NAMES = (
    *(
        "http:x.mp4",
        "-y.mp4",
        "-i",
        "a%03d.mp4",
        "concat:a|b.mp4",
        "file:x.mp4",
        "pipe:0",
        "data:,x.mp4",
        "x,[y];'z'.mp4",
    ),
    *("line\nbreak.mp4", 'quo"te`$(id).mp4', "ünï 👍.mp4", os.fsdecode(b"bytes\xff.mp4"), "..mp4", "lavfi.mp4"),
)


def make_canary(folder: Path) -> None:
    """The files of somebody else, in two containers."""
    folder.mkdir()
    for name in ("other.mp4", "other.ts"):
        media.clip(folder / name, f"color=c={CANARY_COLOR}", size=SIZE, seconds=2)


def make_tricks(folder: Path, other: Path, port: int) -> list[Path]:
    """Texts that name another file or address, most with the suffix of a clip."""
    folder.mkdir()
    for neighbour in ("other.mp4", "other.ts"):  # names that FFmpeg's own precautions let pass
        shutil.copy(other / neighbour, folder)
    relative = os.path.relpath(other, folder)
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        "<Period><AdaptationSet><Representation id='1' bandwidth='1'><BaseURL>{}</BaseURL></Representation>"
        "</AdaptationSet></Period></MPD>"
    )
    web = f"http://127.0.0.1:{port}/other.ts"
    texts = {
        "hls-absolute": hls.format(f"file://{other}/other.ts"),
        "hls-relative": hls.format(f"{relative}/other.ts"),
        "hls-beside": hls.format("other.ts"),
        "hls-http": hls.format(web),
        "hls-concat": hls.format(f"concat:{other}/other.ts|{other}/other.ts"),
        "hls-subfile": hls.format(f"subfile,,start,0,end,0,,:{other}/other.ts"),
        "hls-passwd": hls.format("file:///etc/passwd"),
        "hls-key": hls.format("x.ts").replace(
            "#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="file://{other}/other.ts"\n#EXTINF'
        ),
        "concat-beside": "ffconcat version 1.0\nfile other.mp4\n",
        "concat-relative": f"ffconcat version 1.0\nfile {relative}/other.mp4\n",
        "concat-absolute": f"ffconcat version 1.0\nfile '{other}/other.mp4'\n",
        "concat-http": f"ffconcat version 1.0\nfile '{web}'\n",
        "concat-options": f"ffconcat version 1.0\nfile {relative}/other.mp4\noption safe 0\nstream\n",
        "dash-absolute": mpd.format(f"file://{other}/other.mp4"),
        "dash-http": mpd.format(web),
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 31\n",
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file://{other}/other.mp4"/></svg>',
        "playlist": f"[playlist]\nFile1={web}\n",
        "ffmetadata": f";FFMETADATA1\ntitle={other}\n",
        "ass": f"[Script Info]\n[V4+ Styles]\n[Events]\nDialogue: 0,0:00:00.00,0:00:02.00,,,0,0,0,,{{\\fn{other}}}x\n",
        "html": f"<html><video src='{web}'></html>",
    }
    clips = [_written(folder / f"{name}.mp4", text.encode()) for name, text in texts.items()]
    # FFmpeg believes a playlist more readily by its suffix.
    lists = [_written(folder / f"{name}.m3u8", text.encode()) for name, text in texts.items() if "hls" in name]
    return clips + lists


def make_broken(folder: Path, seed: int) -> list[Path]:
    """Truncations and bit flips of five small files, odd contents, and headers that promise too much."""
    folder.mkdir()
    chance = random.Random(seed)
    return [*_damaged(folder, chance), *_odd(folder, chance), *_excessive(folder)]


def make_named(folder: Path) -> list[Path]:
    """One good clip under every name."""
    folder.mkdir()
    clip = media.clip(folder / "good.mp4", size=SIZE, seconds=2)
    return [_written(folder / name, clip.read_bytes()) for name in NAMES]


def _damaged(folder: Path, chance: random.Random) -> Iterator[Path]:
    for suffix in ("mp4", "mkv", "ts", "avi", "png"):
        good = folder / f"good.{suffix}"
        if suffix == "png":
            media.run("-f", "lavfi", "-i", f"testsrc2=size={SIZE}", "-frames:v", "1", str(good))
        else:
            media.clip(good, size=SIZE, seconds=2, sound_s=1)
        data = good.read_bytes()
        good.unlink()
        for share in (0.02, 0.3, 0.9):
            yield _written(folder / f"cut-{share}-{suffix}.{suffix}", data[: int(len(data) * share)])
        for number in range(3):
            flipped = bytearray(data)
            # Headers are at either end, where a flip does most.
            reach = len(data) if number == 0 else min(len(data), 1_500)
            for _ in range(20):
                at = chance.randrange(reach)
                flipped[-at - 1 if number == 2 else at] ^= 1 << chance.randrange(8)
            yield _written(folder / f"flipped-{number}-{suffix}.{suffix}", bytes(flipped))


def _odd(folder: Path, chance: random.Random) -> Iterator[Path]:
    yield _written(folder / "empty.mp4", b"")
    yield _written(folder / "one-byte.mp4", b"\0")
    yield _written(folder / "zeros.mp4", bytes(65_536))
    yield _written(folder / "noise.mp4", chance.randbytes(65_536))
    yield _written(
        folder / "ftyp-and-noise.mp4", struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + chance.randbytes(9_000)
    )
    yield _written(folder / "program.mp4", b"\x7fELF" + chance.randbytes(5_000))
    yield _written(folder / "archive.mp4", b"PK\x03\x04" + chance.randbytes(5_000))
    sound = folder / "sound.wav"
    media.tone(sound)
    yield sound.rename(folder / "sound-called.mp4")
    yield media.clip(folder / "x.mkv", size=SIZE, seconds=2).rename(folder / "mkv-called.mp4")
    (folder / "folder.mp4").mkdir()
    yield folder / "folder.mp4"
    for name, target in (("passwd.mp4", "/etc/passwd"), ("endless.mp4", "/dev/zero"), ("loop.mp4", "loop.mp4")):
        (folder / name).symlink_to(target)
        yield folder / name


def _excessive(folder: Path) -> Iterator[Path]:
    png = ("-c:v", "png")
    yield media.clip(folder / "1x100000.mkv", "color", size="1x100000", seconds=1.5, rate="2", video=png)
    yield _written(folder / "bomb.png", _png(12_000, 12_000))
    yield _written(folder / "bomb-called.mp4", _png(12_000, 12_000))
    yield _written(folder / "header-bomb.png", _png(60_000, 60_000, rows=1))
    yield _written(folder / "tall.png", _png(1, 100_000))
    fast = folder / "million-fps.mp4"
    media.run(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={SIZE}:rate=1000000",
        "-frames:v",
        "40",
        "-enc_time_base",
        "1/1000000",
        "-video_track_timescale",
        "1000000",
        "-preset",
        "ultrafast",
        str(fast),
    )
    yield fast
    long = folder / "ten-hours.mp4"
    media.run(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={SIZE}:rate=1:duration=2",
        "-vf",
        "setpts=N*36000/TB",
        "-fps_mode",
        "passthrough",
        "-preset",
        "ultrafast",
        str(long),
    )
    yield long
    many = folder / "200-streams.mkv"
    media.run(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={SIZE}:duration=1.5",
        *["-map", "0"] * 200,
        "-c:v",
        "mjpeg",
        "-threads",
        "1",
        "-r",
        "4",
        str(many),
    )
    yield many
    # A header that says ten hours of a thousand frames a second, over two seconds of data.
    plain = media.clip(folder / "claims.mp4", size=SIZE, seconds=2)
    data = bytearray(plain.read_bytes())
    for box in (b"mvhd", b"mdhd"):
        at = data.index(box) + 4 + 12
        data[at : at + 8] = struct.pack(">II", 1_000, 36_000_000)
    counts = data.index(b"stts") + 8
    data[counts + 4 : counts + 8] = struct.pack(">I", 0x7FFF_FFFF)
    yield _written(plain, bytes(data))


def _png(width: int, height: int, rows: int = 0) -> bytes:
    """Grey, compressed a thousandfold; `rows` of 0 writes them all."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    packed = b"".join(packer.compress(row) for _ in range(rows or height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def unguarded(path: Path) -> subprocess.CompletedProcess[bytes]:
    """Decode the first frame to one RGB px with FFmpeg as anybody would call it."""
    command = [media.FFMPEG, "-v", "error", "-nostdin", "-i", str(path), "-frames:v", "1", "-vf", "scale=1:1"]
    return subprocess.run([*command, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], capture_output=True, check=False)
