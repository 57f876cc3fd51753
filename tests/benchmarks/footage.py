"""Makes what films are made of: clips as different as users' are, a track shorter than a film, a logo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from render.ffmpeg import FFmpeg
from render.probe import probe
from tests.benchmarks.measure import run

WIDTH, HEIGHT, RATE = 1080, 1920, 60
MUSIC_S = 8

# A textured picture that moves under a camera, with living grain; slow smooth colours; water with fine ripples.
CLIPS = {
    "detail": (
        f"perlin=s=1440x2400:r={RATE}:octaves=9:persistence=0.75:xscale=7:yscale=11:random_mode=seed:seed=3,"
        "trim=end_frame=1,format=yuv420p,eq=contrast=1.6,pseudocolor=preset=magma,"
        f"loop=-1:1,setpts=N/{RATE}/TB,crop={WIDTH}:{HEIGHT}:x='180+170*sin(n/70)':y='240+200*sin(n/93)',"
        "noise=alls=5:allf=t:all_seed=5"
    ),
    "gradient": f"gradients=s={WIDTH}x{HEIGHT}:r={RATE}:speed=0.02:nb_colors=5:seed=7:type=linear",
    "water": (
        f"perlin=s=270x480:r={RATE}:octaves=4:persistence=0.6:xscale=6:yscale=10:tscale=0.6:random_mode=seed:seed=5,"
        f"scale={WIDTH}:{HEIGHT}:flags=bicubic,format=yuv420p,pseudocolor=preset=viridis"
    ),
}
_BT709 = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
_ENCODE = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", *_BT709]


@dataclass(frozen=True, slots=True)
class Footage:
    """A library: `clips` by the name of their style, each of which holds one; a track `music`, a logo `logo.png`."""

    library: Path
    clips: dict[str, Path]
    music: Path
    logo: Path


def make_footage(library: Path, ffmpeg: str, seconds: float, sources: tuple[Path, ...]) -> Footage:
    """Make clips of `seconds`, 1080x1920 at 60 frames a second; `sources` are looped, cut and scaled to that."""
    clips: dict[str, Path] = {}
    for name, graph in CLIPS.items():
        clips[name] = _clip_path(library, name)
        _encode(ffmpeg, ["-f", "lavfi", "-i", graph], [], seconds, clips[name])
    for number, source in enumerate(sources, 1):
        style = re.sub(r"[^a-z0-9]+", "-", source.stem.lower()).strip("-") or "clip"
        name = f"{number}-{style}"
        clips[name] = _clip_path(library, name)
        _fit(ffmpeg, source, seconds, clips[name])
    return Footage(library, clips, _music(library, ffmpeg), _logo(library))


def _clip_path(library: Path, style: str) -> Path:
    path = library / "styles" / style / f"{style}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _fit(ffmpeg: str, source: Path, seconds: float, out: Path) -> None:
    """Loop and cut a clip; its packets stay as they are where its form is right already, else it is encoded anew."""
    video = probe(source, FFmpeg(ffmpeg)).video
    again = ["-stream_loop", "-1", "-i", str(source)]
    if video and (video.width, video.height, video.codec) == (WIDTH, HEIGHT, "h264") and video.rate == RATE:
        cut = ["-map", "0:v:0", "-c", "copy", "-t", f"{seconds + 0.1:g}"]
        run([ffmpeg, "-nostdin", "-v", "error", "-y", *again, *cut, out])
        return
    fit = f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT},setsar=1,fps={RATE}"
    _encode(ffmpeg, again, ["-vf", fit], seconds, out)


def _encode(ffmpeg: str, source: list[str], filters: list[str], seconds: float, out: Path) -> None:
    run([ffmpeg, "-nostdin", "-v", "error", "-y", *source, *filters, "-t", f"{seconds:g}", *_ENCODE, out])


def _music(library: Path, ffmpeg: str) -> Path:
    path = library / "audio" / "music.m4a"
    path.parent.mkdir(parents=True, exist_ok=True)
    chord = "0.2*sin(2*PI*220*t)+0.15*sin(2*PI*277*t)*sin(PI*t/2)+0.1*sin(2*PI*330*t)+0.05*(random(0)-0.5)"
    tones = f"aevalsrc='{chord}|{chord}':s=48000:d={MUSIC_S}"
    run([ffmpeg, "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", tones, "-c:a", "aac", "-b:a", "160k", path])
    return path


def _logo(library: Path) -> Path:
    path = library / "logos" / "logo.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((10, 10, 390, 390), fill=(240, 90, 40, 255))
    pen.polygon([(150, 110), (150, 290), (310, 200)], fill=(255, 255, 255, 230))
    picture.save(path)
    return path
