"""The value types that requests are made of: colours, positions, margins, weights, bounded numbers. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import webcolors
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from render.problems import did_you_mean
from render.timeline import Align, Rgba

LONGEST_PX = 4320

Position = tuple[Align | float, Align | float]

_HORIZONTAL: dict[str, Align] = {"left": "start", "right": "end"}
_VERTICAL: dict[str, Align] = {"top": "start", "bottom": "end"}
_WEIGHTS = {"thin": 100, "light": 300, "normal": 400, "regular": 400, "medium": 500, "semibold": 600, "bold": 700}
_WEIGHTS |= {"extrabold": 800, "black": 900}
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?:,\s*(\d*\.?\d+)\s*)?\)")


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def parse_color(value: object) -> Rgba:
    """Read a CSS colour name, `#rgb`, `#rrggbb`, `#rrggbbaa`, `rgb(r, g, b)` or `rgba(r, g, b, a)`.

    Raises:
        ValueError: it is none of these.
    """
    if not isinstance(value, str):
        raise ValueError('must be a colour such as "white" or "#ff8800"')
    text = value.strip().lower()
    if match := _RGB.fullmatch(text):
        red, green, blue = (min(255, int(part)) for part in match.groups()[:3])
        return red, green, blue, round(255 * min(1.0, float(match.group(4) or 1)))
    alpha = 255
    if re.fullmatch(r"#[0-9a-f]{8}", text):
        text, alpha = text[:7], int(text[7:], 16)
    try:
        rgb = webcolors.hex_to_rgb(text) if text.startswith("#") else webcolors.name_to_rgb(text)
    except ValueError:
        hint = did_you_mean(text, webcolors.names())
        raise ValueError(f'must be a colour such as "white", "#ff8800" or "rgb(255, 136, 0)".{hint}') from None
    return rgb.red, rgb.green, rgb.blue, alpha


def parse_position(value: object) -> Position:
    """Read `[x, y]` as words or px. Words may stand in either order, since top and bottom can only be vertical.

    Returns words as `start`, `center`, `end` (start is left or top), numbers as px of the overlay's centre.

    Raises:
        ValueError: not two items, an unknown word, a number that is none, or two words of one axis.
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError('must be two items, for example ["center", "bottom"] or [540, 960]')
    first, second = (_position_item(item) for item in value)
    if first in _VERTICAL or second in _HORIZONTAL:
        first, second = second, first
    if first in _VERTICAL or second in _HORIZONTAL:
        raise ValueError(
            'names one axis twice; write one of "left", "center", "right" and one of "top", "center", "bottom"'
        )
    return _aligned(first, _HORIZONTAL), _aligned(second, _VERTICAL)


def _position_item(item: object) -> str | float:
    if isinstance(item, int | float) and not isinstance(item, bool):
        if not -LONGEST_PX <= item <= LONGEST_PX:
            raise ValueError(f"px must lie between -{LONGEST_PX} and {LONGEST_PX}")
        return float(item)
    word = item.strip().lower() if isinstance(item, str) else ""
    if re.fullmatch(r"-?\d{1,4}(\.\d{1,3})?", word):
        return float(word)
    if word in {"middle", "centre"}:
        word = "center"
    if word != "center" and word not in _HORIZONTAL and word not in _VERTICAL:
        hint = did_you_mean(word, ["center", *_HORIZONTAL, *_VERTICAL])
        raise ValueError(f"items are top, bottom, left, right, center or a number of px.{hint}")
    return word


def _aligned(item: str | float, words: dict[str, Align]) -> Align | float:
    return item if isinstance(item, float) else words.get(item, "center")


def _parse_weight(value: object) -> object:
    folded = value.replace("-", "").replace(" ", "").lower() if isinstance(value, str) else ""
    return _WEIGHTS.get(folded) or _no_bool(value)


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_bool)]
Factor = Annotated[Number, Field(ge=0, le=4)]
Share = Annotated[Number, Field(ge=0, le=1)]
Seconds = Annotated[Number, Field(ge=0, le=600)]
Pixels = Annotated[Number, Field(ge=0, le=LONGEST_PX)]
Offset = Annotated[Number, Field(ge=-LONGEST_PX, le=LONGEST_PX)]
FontSize = Annotated[Number, Field(ge=4, le=1000)]
FontWeight = Annotated[int, BeforeValidator(_parse_weight), Field(ge=100, le=900)]
TextAlign = Literal["left", "center", "right"]
TextMotion = Literal["none", "fade", "rise", "slide", "pop", "type"]
LogoMotion = Literal["none", "fade", "rise", "slide", "pop"]
Crossing = Literal["cut", "crossfade", "dip", "push", "wipe"]
LookName = Literal["none", "noir", "sepia", "teal", "film", "dusk", "frost"]
Smooth = Literal["off", "blend", "flow"]
MotionSeconds = Annotated[Number, Field(gt=0, le=60)]
MarginPx = Annotated[list[Pixels], Field(min_length=4, max_length=4)]
Color = Annotated[
    Rgba,
    BeforeValidator(parse_color),
    PlainSerializer(lambda rgba: "#" + bytes(rgba).hex(), return_type=str),
    WithJsonSchema({"type": "string", "examples": ["white", "#ff8800"]}),
]
PositionXY = Annotated[
    Position,
    BeforeValidator(parse_position),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {
                "anyOf": [{"type": "number"}, {"enum": ["top", "bottom", "left", "right", "center"]}],
            },
            "examples": [["bottom", "center"], [540, 960]],
        }
    ),
]
