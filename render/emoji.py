"""Which characters ask to be drawn as colour pictures, after UTS 51. Pure; knows no fonts."""

from __future__ import annotations

_AS_TEXT = "\ufe0e"
_AS_PICTURE = "\ufe0f"
_KEYCAP = "\u20e3"
_KEYS = "#*0123456789"
# By the letter of the standard it is text; whoever sends it without U+FE0F means the red one all the same.
_HEART = "\u2764"
_FIRST, _LAST = "\U0001f000", "\U0001faff"
# Emoji_Presentation=Yes of Unicode 16 below U+1F000. From there on everything counts: text fonts have none of it.
_PICTURES = frozenset(
    "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕♈♉♊♋♌♍♎♏♐♑♒♓♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕"  # noqa: RUF001
)


def is_emoji(cluster: str) -> bool:
    """Whether a grapheme cluster is a picture unless no font has one. Digits, (c) and TM are text; so is what U+FE0E
    follows."""
    if _AS_TEXT in cluster:
        return False
    first = cluster[0]
    if _AS_PICTURE in cluster:
        return first not in _KEYS or _KEYCAP in cluster
    return _FIRST <= first <= _LAST or first in _PICTURES or first == _HEART
