"""Makes the benchmark's film with MoviePy: `python moviepy_film.py ORDER.json`. Runs in MoviePy's own environment.

It imports nothing of this repository. MoviePy has no effect for saturation, so Pillow does it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy
from moviepy import (  # type: ignore[import-not-found]
    AudioFileClip,
    CompositeVideoClip,
    ImageClip,
    TextClip,
    VideoFileClip,
    afx,
    vfx,
)
from PIL import Image, ImageEnhance


def make(order: dict[str, Any]) -> None:
    """Make the film that `moviepy_row` describes."""
    seconds = order["seconds"]
    footage = VideoFileClip(order["clip"], audio=False)
    ground = footage.subclipped(order["start_s"], order["start_s"] + seconds * order["speed"])
    ground = ground.with_effects([vfx.MultiplySpeed(order["speed"]), vfx.MultiplyColor(order["brightness"])])

    def saturated(frame: Any) -> Any:
        return numpy.asarray(ImageEnhance.Color(Image.fromarray(frame)).enhance(order["saturation"]))

    layers = [ground.image_transform(saturated), *_overlays(order, *footage.size)]
    music = AudioFileClip(order["music"]).with_effects(
        [
            afx.AudioLoop(duration=seconds),
            afx.AudioFadeIn(order["music_fade_s"]),
            afx.AudioFadeOut(order["music_fade_s"]),
        ]
    )
    film = CompositeVideoClip(layers, size=footage.size).with_duration(seconds).with_audio(music)
    film.write_videofile(
        order["out"], fps=order["fps"], codec="libx264", preset="veryfast", audio_codec="aac", logger=None
    )


def _overlays(order: dict[str, Any], width: int, height: int) -> list[Any]:
    start_s, end_s = order["text_times"]
    seconds, fade_s = order["seconds"], order["text_fade_s"]
    words = TextClip(font=order["font"], text=order["text"], font_size=order["text_px"], color="white")
    words = words.with_start(start_s).with_duration(end_s - start_s).with_position("center")
    signature = TextClip(font=order["font"], text=order["signature"], font_size=order["signature_px"], color="white")
    signature = signature.with_duration(seconds).with_opacity(0.5).with_position(("center", height - 250))
    logo = ImageClip(order["logo"]).resized(width=order["logo_px"]).with_duration(seconds)
    logo = logo.with_position(("center", height - 25 - order["logo_px"]))
    return [words.with_effects([vfx.CrossFadeIn(fade_s), vfx.CrossFadeOut(fade_s)]), signature, logo]


if __name__ == "__main__":
    make(json.loads(Path(sys.argv[1]).read_text()))
