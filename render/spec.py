"""The JSON vocabulary of requests: fields, defaults, limits. Knows no files; whether a name exists is asked elsewhere.

All px are on a 1080 x 1920 canvas and scale with the output.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from render.errors import FieldProblem, SpecError
from render.fieldtypes import (
    Color,
    Crossing,
    Factor,
    FontSize,
    FontWeight,
    LogoMotion,
    LookName,
    MarginPx,
    MotionSeconds,
    Number,
    Offset,
    Pixels,
    PositionXY,
    Seconds,
    Share,
    Smooth,
    TextAlign,
    TextMotion,
)
from render.problems import json_type, problems
from render.request import Request, variables_of
from render.strict import Strict, TextWithVariables

MAX_TEXTS = 200
MAX_NAME = 255

Name = Annotated[str, Field(max_length=MAX_NAME)]


class Video(Strict):
    """The moving picture: which clips, how long, how they look."""

    style: Annotated[Name, Field(min_length=1)] = Field(
        "random", description="A folder of the clip library, or `random`."
    )
    duration: Annotated[Number, Field(ge=1, le=600)] = Field(60, description="Length of the finished film in seconds.")
    speed: Annotated[Number, Field(ge=0.1, le=4)] = Field(0.5, description="0.5 is slow motion at half speed.")
    exposure: Factor = Field(1.0, description="Factor on linear light.")
    brightness: Factor = Field(1.0, description="Factor on the picture's values.")
    contrast: Factor = Field(1.0, description="Factor around mid grey.")
    saturation: Factor = Field(1.0, description="Factor on colour; 0 is black and white.")
    blur: Annotated[Number, Field(ge=0, le=100)] = Field(0, description="Radius in px.")
    fade_in: Seconds = Field(0, description="Seconds from black.")
    fade_out: Seconds = Field(0, description="Seconds to black.")
    look: LookName = Field(
        "none", description="Colour over all: `none`, `noir`, `sepia`, `teal`, `film`, `dusk` or `frost`."
    )
    smooth: Smooth = Field("blend", description="Slow motion from slow sources: `off`, `blend` or `flow`.")
    transition: Crossing = Field("cut", description="Between clips: `cut`, `crossfade`, `dip`, `push` or `wipe`.")
    transition_duration: Annotated[Number, Field(ge=0.1, le=5)] = Field(0.5, description="Seconds that it takes.")


class Audio(Strict):
    """The sound: one track of the library, looped to the film's length."""

    audio: Annotated[Name, Field(min_length=1)] = Field("random", description="A track's name, `random` or `none`.")
    loudness: Annotated[Number, Field(ge=-40, le=-5)] | None = Field(
        -14, description="LUFS to which the track is brought, by one gain for the whole film; null leaves it as it is."
    )
    volume: Factor = Field(1.0, description="Factor on the amplitude, on top of that.")
    fade_in: Seconds = Field(0, description="Seconds from silence.")
    fade_out: Seconds = Field(0, description="Seconds to silence.")


class Fit(Strict):
    """Bounds in px between which a text is drawn as large as its room allows."""

    min: FontSize = Field(12, description="Smallest size.")
    max: FontSize = Field(200, description="Largest size.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not be larger than max")
        return self


class StrokeSpec(Strict):
    """An outline around glyphs."""

    color: Color = Field("black", validate_default=True, description="Colour of the outline.")
    width: Annotated[Number, Field(ge=0, le=100)] = Field(2, description="Thickness in px.")


class ShadowSpec(Strict):
    """A soft shadow behind glyphs."""

    color: Color = Field("black", validate_default=True, description="Colour of the shadow.")
    opacity: Share = Field(0.6, description="0 is invisible, 1 is solid.")
    x: Offset = Field(0, description="Shift to the right in px.")
    y: Offset = Field(3, description="Shift down in px.")
    blur: Annotated[Number, Field(ge=0, le=200)] = Field(6, description="Softness in px.")


class GradientSpec(Strict):
    """A fill that goes from one colour to another; emoji keep their own."""

    colors: tuple[Color, Color] = Field(description="The two colours.")
    angle: Annotated[Number, Field(ge=-360, le=360)] = Field(
        180, description="As in CSS: 0 goes up, 90 to the right, 180 down."
    )


class BoxSpec(Strict):
    """A filled rectangle behind a text."""

    color: Color = Field("black", validate_default=True, description="Colour of the box.")
    opacity: Share = Field(0.5, description="0 is invisible, 1 is solid.")
    padding: Pixels = Field(16, description="Room around the text in px.")
    radius: Pixels = Field(12, description="Rounding of the corners in px.")


class Words(Strict):
    """A text and how it is set."""

    text: TextWithVariables = Field("", description="The words; empty draws nothing.")
    font: Annotated[Name, Field(min_length=1)] = Field("Arial", description="A font family.")
    font_size: FontSize = Field(30, description="Size in px.")
    font_weight: FontWeight = Field(400, description="100 to 900, or a word such as `bold`.")
    italic: bool = Field(False, description="Slanted letters.")
    font_align: TextAlign = Field("center", description="How lines of one text align: `left`, `center` or `right`.")
    font_color: Color = Field("white", validate_default=True, description="A CSS colour.")
    line_height: Annotated[Number, Field(ge=0.5, le=4)] = Field(
        1.2, description="Distance of lines as a factor of size."
    )
    letter_spacing: Annotated[Number, Field(ge=-50, le=200)] = Field(
        0, description="Room between letters in px, more or less than usual; joined letters such as Arabic stay joined."
    )
    max_width: Annotated[Pixels, Field(ge=10)] | None = Field(None, description="Wraps lines at this many px.")
    fit: Fit | None = Field(None, description="Draws as large as fits, from `min` to `max` px.")
    gradient: GradientSpec | None = Field(None, description="Instead of `font_color`: `colors`, `angle`.")
    stroke: StrokeSpec | None = Field(None, description="Outline: `color`, `width`.")
    shadow: ShadowSpec | None = Field(None, description="Shadow: `color`, `opacity`, `x`, `y`, `blur`.")
    box: BoxSpec | None = Field(None, description="Background: `color`, `opacity`, `padding`, `radius`.")
    legibility: Literal["off", "auto"] = Field(
        "off", description="`auto`: just as much shadow or box as contrast 4.5:1 with the picture behind it needs."
    )
    enter: TextMotion = Field("none", description="How it comes: `none`, `fade`, `rise`, `slide`, `pop` or `type`.")
    exit: TextMotion = Field("none", description="How it goes: the same words.")
    enter_duration: MotionSeconds = Field(0.5, description="Seconds that coming takes.")
    exit_duration: MotionSeconds = Field(0.5, description="Seconds that going takes.")


class TextOverlay(Words):
    """A text that is there for some time of the film."""

    start_time: Seconds | None = Field(None, description="Second at which it appears; null is the start.")
    end_time: Seconds | None = Field(None, description="Second at which it is gone; null is the film's end.")
    fade_in: Seconds = Field(0, description="Seconds from transparent.")
    fade_out: Seconds = Field(0, description="Seconds to transparent.")
    opacity: Share = Field(1.0, description="0 is invisible, 1 is solid.")
    positionxy: PositionXY = Field(
        ("center", "center"), validate_default=True, description="`[x, y]` as words in either order, or px."
    )
    margin: MarginPx = Field([0, 0, 0, 0], description="`[top, right, bottom, left]` px kept free to the edges.")

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end_time is not None and self.end_time <= (self.start_time or 0):
            raise ValueError("end_time must be later than start_time")
        return self


class Signature(Words):
    """A text that is there for the whole film."""

    font_size: FontSize = Field(24, description="Size in px.")
    opacity: Share = Field(0.5, description="0 is invisible, 1 is solid.")
    positionxy: PositionXY = Field(
        ("bottom", "center"), validate_default=True, description="`[x, y]` as words in either order, or px."
    )
    margin: MarginPx = Field([0, 25, 25, 0], description="`[top, right, bottom, left]` px kept free to the edges.")


class Logo(Strict):
    """A picture of the library that is there for the whole film."""

    name: Name = Field("none", description="A file of the library's `logos` folder, or `none`.")
    size: Annotated[Pixels, Field(ge=1)] = Field(150, description="Length of the longer side in px.")
    opacity: Share = Field(1.0, description="0 is invisible, 1 is solid.")
    positionxy: PositionXY = Field(
        ("bottom", "center"), validate_default=True, description="`[x, y]` as words in either order, or px."
    )
    margin: MarginPx = Field([0, 25, 25, 0], description="`[top, right, bottom, left]` px kept free to the edges.")
    enter: LogoMotion = Field("none", description="How it comes: `none`, `fade`, `rise`, `slide` or `pop`.")
    exit: LogoMotion = Field("none", description="How it goes: the same words.")
    enter_duration: MotionSeconds = Field(0.5, description="Seconds that coming takes.")
    exit_duration: MotionSeconds = Field(0.5, description="Seconds that going takes.")


class TemplateSpec(Request):
    """A template film: clips of a style, timed texts, signature, logo, music."""

    video: Video = Video()
    audio: Audio = Audio()
    text_overlays: Annotated[list[TextOverlay], Field(max_length=MAX_TEXTS)] = Field(
        default_factory=list, description=f"Up to {MAX_TEXTS} timed texts."
    )
    signature: Signature | None = Field(None, description="A text for the whole film.")
    logo: Logo | None = Field(None, description="A picture for the whole film.")


def parse_template(data: object) -> TemplateSpec:
    """Read a parsed JSON body as a template film.

    Raises:
        SpecError: with every wrong field at once.
    """
    try:
        spec = TemplateSpec.model_validate(data, context={"variables": variables_of(data)})
    except ValidationError as exc:
        raise SpecError(problems(exc, TemplateSpec)) from None
    if found := _timing_problems(spec):
        raise SpecError(found)
    return spec


def _timing_problems(spec: TemplateSpec) -> list[FieldProblem]:
    """Find times that lie outside the film, which no single field can know."""
    duration = spec.video.duration
    inside = f"must be less than the film's duration of {duration:g} s"
    times = {f"text_overlays[{i}].start_time": t.start_time for i, t in enumerate(spec.text_overlays)}
    times["output.thumbnail_at"] = spec.output.thumbnail_at
    found = [
        FieldProblem(path, inside, json_type(at)) for path, at in times.items() if at is not None and at >= duration
    ]
    fades = {
        "video.fade_in": spec.video.fade_in,
        "video.fade_out": spec.video.fade_out,
        "audio.fade_in": spec.audio.fade_in,
        "audio.fade_out": spec.audio.fade_out,
    }
    longer = f"must not be longer than the film's duration of {duration:g} s"
    return found + [FieldProblem(path, longer, "number") for path, length in fades.items() if length > duration]
