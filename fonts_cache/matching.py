"""Which face is nearest to the one that is asked for, after CSS Fonts Level 4, section 5.2. Pure arithmetic."""

from __future__ import annotations


def nearness(weight: int, italic: bool, wanted: int, wanted_italic: bool) -> tuple[bool, tuple[int, int]]:
    """Sort key of a face: style goes before weight."""
    return italic != wanted_italic, _distance(weight, wanted)


def _distance(weight: int, wanted: int) -> tuple[int, int]:
    """Which side of the wanted weight is tried first, then how far away."""
    if weight == wanted:
        return 0, 0
    if 400 <= wanted <= 500:
        side = 1 if wanted < weight <= 500 else 2 if weight < wanted else 3
    else:
        first_is_lighter = wanted < 400
        side = 1 if (weight < wanted) == first_is_lighter else 2
    return side, abs(weight - wanted)
