"""Whether bytes from elsewhere are the font that was asked for. Reads them with fontTools; writes nothing."""

from __future__ import annotations

import importlib
import io

from fonts_cache.routes import Rubbish

MOST_BYTES = 24 * 2**20
_MAGIC = (b"\x00\x01\x00\x00", b"OTTO", b"true")
# Old Windows drew letters twice below 250, so thin faces of some families claim to be heavier than they are.
_CLAIMED = {100: (250, 100), 200: (275, 200)}


def prove(data: bytes, weight: int, italic: bool) -> str:
    """Make sure that bytes are a whole TrueType or OpenType font of a weight and style, and return its licence.

    Raises:
        Rubbish: they are not; it says what they are instead.
    """
    if data[:4] not in _MAGIC:
        raise Rubbish("what came is no TrueType or OpenType font")
    tt_lib = importlib.import_module("fontTools.ttLib")
    try:
        with tt_lib.TTFont(io.BytesIO(data), lazy=False) as font:
            claims, slant = int(font["OS/2"].usWeightClass), int(font["OS/2"].fsSelection) & 0b10_0000_0001
            is_variable, is_drawable = "fvar" in font, "glyf" in font or "CFF " in font
            licence = font["name"].getDebugName(13) or font["name"].getDebugName(14) or ""
            font["cmap"].getBestCmap()
    except Exception as exc:  # A broken file makes fontTools raise nearly anything.
        raise Rubbish("what came is a broken or truncated font") from exc
    if is_variable or not is_drawable:
        raise Rubbish("what came is not a font of one weight with outlines")
    if claims not in _CLAIMED.get(weight, (weight,)) or bool(slant) != italic:
        raise Rubbish(f"what came has the weight {claims}{' italic' if slant else ''}, not the one asked for")
    return str(licence)
