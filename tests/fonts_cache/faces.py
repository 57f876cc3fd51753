"""Makes small font files for tests."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

# Not by `import`: fontTools ships no types.
FontBuilder: Any = import_module("fontTools.fontBuilder").FontBuilder
TTGlyphPen: Any = import_module("fontTools.pens.ttGlyphPen").TTGlyphPen


def make_font(
    path: Path,
    family: str,
    weight: int = 400,
    italic: bool = False,
    axis: bool = False,
    width: int = 5,
    chars: str = "",
) -> Path:
    """A font file with two empty glyphs, one of which stands for `chars`."""
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({ord(char): "blank" for char in chars})
    builder.setupGlyf({name: TTGlyphPen(None).glyph() for name in (".notdef", "blank")})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "blank"), (500, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    names = {"familyName": family, "styleName": "Regular"}
    builder.setupNameTable(names if width == 5 else names | {"typographicFamily": family.split()[0]})
    builder.setupOS2(usWeightClass=weight, usWidthClass=width, fsSelection=1 if italic else 0x40)
    builder.setupPost()
    if axis:
        builder.setupFvar([("wght", 100, 400, 900, "Weight")], [])
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return path
