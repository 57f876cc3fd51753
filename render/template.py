"""Compiles a template request and its local files to a Timeline. Pure: all timing is decided here, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from render.errors import NoClips
from render.layout import Canvas, cover
from render.listen import Track
from render.loudness import Level, amplitude, integrated_lufs, level, repeated
from render.probe import MediaInfo, VideoInfo
from render.request import Output
from render.spec import Audio, Logo, Signature, TemplateSpec, TextOverlay, Video, Words
from render.timeline import (
    Align,
    Grade,
    Gradient,
    Layer,
    Media,
    Picture,
    Place,
    Rgba,
    Shadow,
    Sound,
    Stroke,
    Text,
    TextBox,
    Timeline,
)

# A shot shorter than this reads as a glitch; the one before it gives up time instead.
MIN_SHOT_S = Fraction(3, 2)
SMALLEST_FONT_PX = 8.0
# Long enough not to click, too short for the beat to be heard to stumble.
SEAM_S = Fraction(1, 100)
_ALIGN: dict[str, Align] = {"left": "start", "center": "center", "right": "end"}


class FontFinder(Protocol):
    """Finds the files that draw a text: the chosen face, then those that it needs where that one has no glyph."""

    def __call__(self, family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]: ...


@dataclass(frozen=True, slots=True)
class Clip:
    """A usable clip: its streams and where in the picture (shares of width and height) the eye goes."""

    info: MediaInfo
    video: VideoInfo
    focus: tuple[float, float] = (0.5, 0.5)


def compile_template(
    spec: TemplateSpec,
    seed: int,
    clips: Iterable[Clip],
    music: Track | None,
    logo: Path | None,
    font: FontFinder,
) -> Timeline:
    """Lay out one film.

    `clips` come in the order in which they are to be used and are asked for only as long as the film is not full. When
    they run out, the film goes on with the first of them again.

    Raises:
        NoClips: there is not a single clip.
    """
    canvas = Canvas(spec.output.width, spec.output.height, spec.output.safe_area)
    rate = Fraction(spec.output.fps)
    frames = _frames(spec.video.duration, rate)
    layers = list(_shots(spec.video, seed, clips, canvas, rate, frames))
    if logo is not None and spec.logo is not None:
        layers.append(_logo(spec.logo, logo, canvas, frames))
    layers += [_text(words, canvas, rate, frames, font) for words in spec.text_overlays if words.text.strip()]
    if spec.signature is not None and spec.signature.text.strip():
        layers.append(_signature(spec.signature, canvas, frames, font))
    fade_in, fade_out = _fades(spec.video.fade_in, spec.video.fade_out, rate, frames)
    return Timeline(
        width=canvas.width,
        height=canvas.height,
        rate=rate,
        frames=frames,
        layers=tuple(layers),
        sounds=(_music(spec.audio, music, rate, frames),) if music else (),
        fade_in=fade_in,
        fade_out=fade_out,
        quality=spec.output.quality,
        thumbnail=_thumbnail(spec.output, rate, frames),
    )


def seeded_share(seed: int, *names: str) -> float:
    """A number from 0 up to 1 that depends on nothing but the seed and the names; the same on every machine."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _frames(seconds: float, rate: Fraction) -> int:
    return max(1, round(Fraction(str(seconds)) * rate))


def _thumbnail(output: Output, rate: Fraction, frames: int) -> int | None:
    """The frame that is shown at the second that was asked for."""
    return None if output.thumbnail_at is None else min(int(Fraction(str(output.thumbnail_at)) * rate), frames - 1)


def _fades(fade_in_s: float, fade_out_s: float, rate: Fraction, frames: int) -> tuple[int, int]:
    """Fades in frames. Two that together are longer than what they frame are shortened in proportion."""
    fade_in, fade_out = (round(Fraction(str(s)) * rate) for s in (fade_in_s, fade_out_s))
    if fade_in + fade_out > frames:
        fade_in, fade_out = (frames * fade // (fade_in + fade_out) for fade in (fade_in, fade_out))
    return fade_in, fade_out


def _shots(
    video: Video, seed: int, clips: Iterable[Clip], canvas: Canvas, rate: Fraction, frames: int
) -> Iterator[Layer]:
    speed = Fraction(str(video.speed))
    grade = Grade(video.exposure, video.brightness, video.contrast, video.saturation, video.blur * canvas.scale)
    at = 0
    for clip in _endlessly(_long_enough(clips, speed)):
        length = _shot_frames(clip.video, speed, rate, frames - at)
        yield Layer(_media(clip, at, length, speed, rate, canvas, grade, seed), at, length)
        at += length
        if at >= frames:
            return
    raise NoClips("the style holds no clip that can be used")


def _long_enough(clips: Iterable[Clip], speed: Fraction) -> Iterator[Clip]:
    """Leave out clips that would be over in a flash, unless there are no others."""
    flashes = []
    others = False
    for clip in clips:
        if clip.video.duration_s / speed >= MIN_SHOT_S:
            others = True
            yield clip
        else:
            flashes.append(clip)
    if not others:
        yield from flashes


def _endlessly(clips: Iterable[Clip]) -> Iterator[Clip]:
    used: list[Clip] = []
    for clip in clips:
        used.append(clip)
        yield clip
    while used:
        yield from used


def _shot_frames(video: VideoInfo, speed: Fraction, rate: Fraction, room: int) -> int:
    """How long a clip is shown where `room` frames are still empty."""
    available = max(1, int(video.duration_s / speed * rate))
    if available >= room:
        return room
    shortest = int(MIN_SHOT_S * rate)
    rest = room - available
    return room - shortest if rest < shortest <= room - shortest else available


def _media(
    clip: Clip, at: int, length: int, speed: Fraction, rate: Fraction, canvas: Canvas, grade: Grade, seed: int
) -> Media:
    video = clip.video
    slack = max(Fraction(0), video.duration_s - length / rate * speed)
    share = seeded_share(seed, "offset", clip.info.path.name, str(at))
    return Media(
        path=clip.info.path,
        start_s=Fraction(int(slack * 1000 * Fraction(share)), 1000),
        speed=speed,
        rate=video.rate,
        width=video.width,
        height=video.height,
        crop=cover(video.width, video.height, canvas, clip.focus, video.sar),
        matrix=video.matrix,
        full_range=video.full_range,
        hdr=video.hdr,
        grade=grade,
        seekable=video.seekable,
    )


def _logo(logo: Logo, path: Path, canvas: Canvas, frames: int) -> Layer:
    picture = Picture(path, max(1, canvas.length(logo.size)))
    return Layer(picture, 0, frames, canvas.place(*logo.positionxy, logo.margin), logo.opacity)


def _signature(words: Signature, canvas: Canvas, frames: int, font: FontFinder) -> Layer:
    place = canvas.place(*words.positionxy, words.margin)
    return Layer(_glyphs(words, canvas, place, font), 0, frames, place, words.opacity)


def _text(words: TextOverlay, canvas: Canvas, rate: Fraction, frames: int, font: FontFinder) -> Layer:
    place = canvas.place(*words.positionxy, words.margin)
    start = min(round(Fraction(str(words.start_time or 0)) * rate), frames - 1)
    end = frames if words.end_time is None else min(round(Fraction(str(words.end_time)) * rate), frames)
    length = max(1, end - start)
    fade_in, fade_out = _fades(words.fade_in, words.fade_out, rate, length)
    return Layer(_glyphs(words, canvas, place, font), start, length, place, words.opacity, fade_in, fade_out)


def _glyphs(words: Words, canvas: Canvas, place: Place, font: FontFinder) -> Text:
    width, height = canvas.room(place.margin)
    if words.max_width is not None:
        width = min(width, max(1, canvas.length(words.max_width)))
    size = words.font_size * canvas.scale
    low, high = (words.fit.min * canvas.scale, words.fit.max * canvas.scale) if words.fit else (SMALLEST_FONT_PX, size)
    return Text(
        text=words.text,
        fonts=font(words.font, words.font_weight, words.italic, words.text),
        size_px=high if words.fit else size,
        min_size_px=min(low, high),
        max_size_px=high,
        max_width_px=width,
        max_height_px=height,
        color=words.font_color,
        align=_ALIGN[words.font_align],
        line_height=words.line_height,
        stroke=_stroke(words, canvas),
        shadow=_shadow(words, canvas),
        box=_box(words, canvas),
        letter_spacing_px=words.letter_spacing * canvas.scale,
        gradient=Gradient(words.gradient.colors, words.gradient.angle) if words.gradient else None,
        legibility=words.legibility,
    )


def _faded(color: Rgba, opacity: float) -> Rgba:
    return (*color[:3], round(color[3] * opacity))


def _stroke(words: Words, canvas: Canvas) -> Stroke | None:
    spec = words.stroke
    return Stroke(spec.color, spec.width * canvas.scale) if spec else None


def _shadow(words: Words, canvas: Canvas) -> Shadow | None:
    spec = words.shadow
    if spec is None:
        return None
    scale = canvas.scale
    return Shadow(_faded(spec.color, spec.opacity), spec.x * scale, spec.y * scale, spec.blur * scale / 2)


def _box(words: Words, canvas: Canvas) -> TextBox | None:
    spec = words.box
    if spec is None:
        return None
    return TextBox(_faded(spec.color, spec.opacity), spec.padding * canvas.scale, spec.radius * canvas.scale)


def music_level(audio: Audio, track: Track, film_s: Fraction) -> Level:
    """How much louder or softer a track is to be played in a film of that length, by what of it is heard there."""
    heard = repeated(track.blocks_lufs, film_s)
    return level(track.path.name, integrated_lufs(heard), track.true_peak_dbtp, audio.loudness)


def _music(audio: Audio, track: Track, rate: Fraction, frames: int) -> Sound:
    film_s = frames / rate
    loop = track.end_s is not None and track.start_s + film_s > track.end_s
    length_s = track.end_s - track.start_s if track.end_s is not None else film_s
    fade_in, fade_out = _fades(audio.fade_in, audio.fade_out, rate, frames)
    return Sound(
        track.path,
        0,
        frames,
        source_start_s=track.start_s,
        source_end_s=track.end_s,
        loop=loop,
        seam_s=min(SEAM_S, length_s / 4) if loop and not track.seamless else Fraction(0),
        volume=audio.volume * music_level(audio, track, film_s).factor,
        true_peak=amplitude(track.true_peak_dbtp),
        fade_in=fade_in,
        fade_out=fade_out,
        mono=track.mono,
    )
