"""Compiles a template request and its local files to a Timeline. Pure: all timing is decided here, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from render.fieldtypes import TextMotion
from render.layout import Canvas
from render.listen import Track
from render.loudness import Level, amplitude, integrated_lufs, level, repeated
from render.request import Output
from render.shots import Clip, lay_out
from render.spec import Audio, Logo, Signature, TemplateSpec, TextOverlay, Words
from render.timeline import (
    Align,
    Gradient,
    Layer,
    Motion,
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

SMALLEST_FONT_PX = 8.0
# Long enough not to click, too short for the beat to be heard to stumble.
SEAM_S = Fraction(1, 100)
_ALIGN: dict[str, Align] = {"left": "start", "center": "center", "right": "end"}


class FontFinder(Protocol):
    """Finds the files that draw a text: the chosen face, then those that it needs where that one has no glyph."""

    def __call__(self, family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]: ...


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
    layers = list(lay_out(spec.video, seed, clips, canvas, rate, frames))
    if logo is not None and spec.logo is not None:
        layers.append(_logo(spec.logo, logo, canvas, rate, frames))
    layers += [_text(words, canvas, rate, frames, font) for words in spec.text_overlays if words.text.strip()]
    if spec.signature is not None and spec.signature.text.strip():
        layers.append(_signature(spec.signature, canvas, rate, frames, font))
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


def _frames(seconds: float, rate: Fraction) -> int:
    return max(1, round(Fraction(str(seconds)) * rate))


def _thumbnail(output: Output, rate: Fraction, frames: int) -> int | None:
    """The frame that is shown at the second that was asked for."""
    return None if output.thumbnail_at is None else min(int(Fraction(str(output.thumbnail_at)) * rate), frames - 1)


def _fades(fade_in_s: float, fade_out_s: float, rate: Fraction, frames: int) -> tuple[int, int]:
    """Fades in frames. Two that together are longer than what they frame are shortened in proportion."""
    fade_in, fade_out = (round(Fraction(str(s)) * rate) for s in (fade_in_s, fade_out_s))
    return _shortened(fade_in, fade_out, frames)


def _shortened(fade_in: int, fade_out: int, frames: int) -> tuple[int, int]:
    together = fade_in + fade_out
    return (frames * fade_in // together, frames * fade_out // together) if together > frames else (fade_in, fade_out)


def _logo(logo: Logo, path: Path, canvas: Canvas, rate: Fraction, frames: int) -> Layer:
    picture = Picture(path, max(1, canvas.length(logo.size)))
    return _moved(Layer(picture, 0, frames, canvas.place(*logo.positionxy, logo.margin), logo.opacity), logo, rate)


def _signature(words: Signature, canvas: Canvas, rate: Fraction, frames: int, font: FontFinder) -> Layer:
    place = canvas.place(*words.positionxy, words.margin)
    return _moved(Layer(_glyphs(words, canvas, place, font), 0, frames, place, words.opacity), words, rate)


def _text(words: TextOverlay, canvas: Canvas, rate: Fraction, frames: int, font: FontFinder) -> Layer:
    place = canvas.place(*words.positionxy, words.margin)
    start = min(round(Fraction(str(words.start_time or 0)) * rate), frames - 1)
    end = frames if words.end_time is None else min(round(Fraction(str(words.end_time)) * rate), frames)
    length = max(1, end - start)
    fade_in, fade_out = _fades(words.fade_in, words.fade_out, rate, length)
    glyphs = _glyphs(words, canvas, place, font)
    return _moved(Layer(glyphs, start, length, place, words.opacity, fade_in, fade_out), words, rate)


def _moved(layer: Layer, asked: Words | Logo, rate: Fraction) -> Layer:
    """Have a layer come and go as it is asked to; what is too long for the time it is shown is shortened as fades are.

    A motion that only fades is the longer of the two fades.
    """
    enter_s = asked.enter_duration if asked.enter != "none" else 0
    exit_s = asked.exit_duration if asked.exit != "none" else 0
    enter, exit_ = _fades(enter_s, exit_s, rate, layer.frames)
    fade_in = max(layer.fade_in, enter) if asked.enter == "fade" else layer.fade_in
    fade_out = max(layer.fade_out, exit_) if asked.exit == "fade" else layer.fade_out
    fade_in, fade_out = _shortened(fade_in, fade_out, layer.frames)
    return replace(
        layer,
        fade_in=fade_in,
        fade_out=fade_out,
        enter=_motion(asked.enter, enter),
        exit=_motion(asked.exit, exit_),
    )


def _motion(style: TextMotion, frames: int) -> Motion | None:
    if style == "none" or style == "fade" or not frames:
        return None
    return Motion(style, frames)


def _glyphs(words: Words, canvas: Canvas, place: Place, font: FontFinder) -> Text:
    width, height = canvas.room(place.margin)
    if words.max_width is not None:
        width = min(width, max(1, canvas.length(words.max_width)))
    size = words.font_size * canvas.scale
    low, high = (words.fit.min * canvas.scale, words.fit.max * canvas.scale) if words.fit else (SMALLEST_FONT_PX, size)
    return Text(
        text=words.text,
        fonts=font(words.font, words.font_weight, words.italic, words.text),
        size_px=low if words.fit else size,
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
