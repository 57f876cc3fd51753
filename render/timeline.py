"""The Timeline: a whole film as plain frozen data, in integer frames. Standard library only.

Layers are painted in order, the first at the bottom; sounds add up. Every kind of request compiles to Timelines and
one renderer turns Timelines into files, so this module knows neither templates nor FFmpeg.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from render.plain import from_plain, to_plain

VERSION = 2

Align = Literal["start", "center", "end"]
Rgba = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px: left, top, width, height."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Margin:
    """Room in px that is kept free between an overlay and each edge of the canvas."""

    top: int = 0
    right: int = 0
    bottom: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an overlay sits. An axis is a word (`start` is left or top) or the px coordinate of its centre."""

    x: Align | int = "center"
    y: Align | int = "center"
    margin: Margin = Margin()


@dataclass(frozen=True, slots=True)
class Grade:
    """Colour of a clip as factors, 1 leaves things alone; `blur_px` is a Gaussian's standard deviation."""

    exposure: float = 1.0
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    blur_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Media:
    """A stretch of a video file that fills the canvas.

    `start_s` is where it begins in the source, in source seconds; `speed` 1/2 is half speed. `crop` is in upright
    source px and has the canvas's shape. `rate` is the source's frames a second. `matrix` and `full_range` say how
    its YUV is meant, `hdr` names the transfer of a high dynamic range source (`hlg`, `pq`) or is empty.
    `seekable` is false where a seek may land behind its aim. `smooth` says what becomes of a source that gives too few
    frames: each is shown longer (`off`), neighbours are blended, or frames between are made by optical flow. `look`
    names how it is coloured after its grade.
    """

    path: Path
    start_s: Fraction
    speed: Fraction
    rate: Fraction
    width: int
    height: int
    crop: Box
    matrix: str = "bt709"
    full_range: bool = False
    hdr: str = ""
    grade: Grade = Grade()
    seekable: bool = True
    smooth: Literal["off", "blend", "flow"] = "blend"
    look: str = "none"


@dataclass(frozen=True, slots=True)
class Picture:
    """A still picture. `longest_px` scales it so that its longer side is that long; None keeps its size."""

    path: Path
    longest_px: int | None = None


@dataclass(frozen=True, slots=True)
class Stroke:
    """An outline around glyphs."""

    color: Rgba
    width_px: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """A soft copy of the glyphs behind them, moved by `dx_px`, `dy_px`; `blur_px` is a standard deviation. `density` is
    a factor on what it covers, so that a soft one may be dark beside thin letters, too."""

    color: Rgba
    dx_px: float
    dy_px: float
    blur_px: float
    density: float = 1.0


@dataclass(frozen=True, slots=True)
class TextBox:
    """A filled, rounded rectangle behind a text, `padding_px` larger than it on every side."""

    color: Rgba
    padding_px: float
    radius_px: float


@dataclass(frozen=True, slots=True)
class Gradient:
    """Two colours from one end of the ink to the other. The angle is that of CSS: 0 goes up, 90 to the right."""

    colors: tuple[Rgba, Rgba]
    angle_deg: float = 180.0


@dataclass(frozen=True, slots=True)
class Text:
    """Words to draw. Sizes are px of the output.

    `fonts` are the chosen face and those that stand in for it, in order, where it has no glyph; a font of pictures
    among them draws the emoji. A `gradient` goes before `color`.

    The text is wrapped at `max_width_px`. Where it is then higher than `max_height_px` or a word is too wide, it is
    drawn smaller, down to `min_size_px`. With `max_size_px` above `size_px` it also grows to fill that room.

    With `legibility` it gets a shadow or a box where the picture behind it leaves too little contrast.
    """

    text: str
    fonts: tuple[Path, ...]
    size_px: float
    min_size_px: float
    max_size_px: float
    max_width_px: int
    max_height_px: int
    color: Rgba
    align: Align = "center"
    line_height: float = 1.2
    stroke: Stroke | None = None
    shadow: Shadow | None = None
    box: TextBox | None = None
    letter_spacing_px: float = 0.0
    gradient: Gradient | None = None
    legibility: Literal["off", "auto"] = "off"


@dataclass(frozen=True, slots=True)
class Motion:
    """How an overlay comes or goes, over how many frames. `type` writes a text letter by letter, `rise` moves it
    up, `slide` to the right, `pop` lets it grow, or shrink; all but `type` fade, too."""

    style: Literal["rise", "slide", "pop", "type"]
    frames: int


@dataclass(frozen=True, slots=True)
class Transition:
    """How a clip takes over from the one before it: over the `frames` that both are there."""

    kind: Literal["crossfade", "dip", "push", "wipe"]
    frames: int


@dataclass(frozen=True, slots=True)
class Solid:
    """One colour over the whole canvas."""

    color: Rgba


@dataclass(frozen=True, slots=True)
class Layer:
    """Something to see from frame `start` for `frames` frames. Fades are frames, from and to transparent.

    `enter` and `exit` move it in its first and last frames; only texts and pictures can be moved, and only clips have a
    `transition`.
    """

    content: Media | Picture | Text | Solid
    start: int
    frames: int
    place: Place = Place()
    opacity: float = 1.0
    fade_in: int = 0
    fade_out: int = 0
    enter: Motion | None = None
    exit: Motion | None = None
    transition: Transition | None = None

    @property
    def end(self) -> int:
        """The first frame at which the layer is gone."""
        return self.start + self.frames


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to hear from frame `start` for `frames` frames. Fades are frames, from and to silence.

    Of the source it plays from `source_start_s` to `source_end_s` (None: its end) and, with `loop`, that stretch again
    and again; its end passes into its beginning within `seam_s`, or is joined to it where that is 0. `volume` is a
    factor on the amplitude, `true_peak` the highest amplitude between the source's samples, 1 being full scale. `mono`
    says that the source has a single channel, which goes to both sides.
    """

    path: Path
    start: int
    frames: int
    source_start_s: Fraction = Fraction(0)
    source_end_s: Fraction | None = None
    loop: bool = False
    seam_s: Fraction = Fraction(0)
    volume: float = 1.0
    true_peak: float = 1.0
    fade_in: int = 0
    fade_out: int = 0
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """One film: `frames` frames of `width` x `height` px at `rate` frames a second.

    `fade_in` and `fade_out` are frames of the whole picture from and to black. `quality` names an encoder profile.
    `thumbnail` is the frame that stands for the film; None: the best one is looked for.
    """

    width: int
    height: int
    rate: Fraction
    frames: int
    layers: tuple[Layer, ...]
    sounds: tuple[Sound, ...] = ()
    fade_in: int = 0
    fade_out: int = 0
    quality: str = "social"
    thumbnail: int | None = None

    @property
    def duration_s(self) -> Fraction:
        """Length of the film in seconds."""
        return self.frames / self.rate


def to_json(timeline: Timeline) -> str:
    """Write a Timeline as versioned JSON. Fractions become `"n/d"`, contents carry their class name as `type`."""
    return json.dumps({"version": VERSION, **to_plain(timeline)}, indent=2)


def from_json(text: str) -> Timeline:
    """Read what `to_json` wrote.

    Raises:
        ValueError: the text is not JSON, or of another version, or misses a field.
    """
    data = json.loads(text)
    version = data.pop("version", None) if isinstance(data, dict) else None
    if version != VERSION:
        raise ValueError(f"timeline version {version} cannot be read, only {VERSION}")
    return from_plain(Timeline, data)
