"""How long to wait after a setback, and when to give up. Pure."""

from __future__ import annotations

_BEFORE_SENDING_S = (20, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, *[4 * 3600] * 16)  # three days
_PROBES_S = (15, 30, 60, 120, 300, 600, 900, *[1800] * 47)  # a day
_FOLLOWING_S = (15, 30, 60, 120, 300, 600, 900, *[1800] * 11)  # six hours
_JITTER = 0.1


def before_sending_s(tries: int, most_tries: int, chance: float) -> float | None:
    """Seconds after setback number `tries` (from 1) of what is not sent yet; None: no more. `most_tries` bounds them
    (0: the usual number), `chance`, from 0 to 1, spreads them."""
    if most_tries and tries >= most_tries:
        return None
    return _at(_BEFORE_SENDING_S, tries, chance)


def probe_again_s(tries: int, chance: float) -> float | None:
    """The same, of asking what came of an order."""
    return _at(_PROBES_S, tries, chance)


def follow_again_s(tries: int, chance: float) -> float | None:
    """The same, of what follows once it is published."""
    return _at(_FOLLOWING_S, tries, chance)


def _at(waits_s: tuple[int, ...], tries: int, chance: float) -> float | None:
    if tries > len(waits_s):
        return None
    return waits_s[tries - 1] * (1 + _JITTER * (2 * chance - 1))
