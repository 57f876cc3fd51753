"""When a callback that did not get through is tried again. Pure.

Ten minutes of quick tries outlast a receiver's restart; the long ones after them, its weekend. Counted in tries and
not in hours gone by, so that neither a clock that is put right nor a sender that was off uses them up.
"""

from __future__ import annotations

_QUICK_S = (1, 2, 4, 8, 16, 32, *[60] * 9)  # 603 s in all
_LONG_S = tuple(minutes * 60 for minutes in (15, 30, 120, 300, *[600] * 6))
WAITS_S: tuple[int, ...] = (*_QUICK_S, *_LONG_S)
"""Seconds from each try to the next, three days in all; after the last there is none."""

LONGEST_IN_ALL_S = 3 * 24 * 3600
LONGEST_ASKED_S = 3600
"""Of what a receiver asks for in Retry-After, this much is heeded."""

_JITTER = 0.1


def wait_s(tries: int, elapsed_s: float, asked_s: float, chance: float) -> float | None:
    """Say how long to wait after try number `tries` (from 1); None: no more.

    `elapsed_s` is the time since the first try, `asked_s` what the receiver asks for (0: nothing), `chance` a number
    from 0 to 1 that spreads the long waits.
    """
    if tries > len(WAITS_S) or (tries > len(_QUICK_S) and elapsed_s >= LONGEST_IN_ALL_S):
        return None
    wait = float(WAITS_S[tries - 1])
    if tries > len(_QUICK_S):
        wait *= 1 + _JITTER * (2 * chance - 1)
    return max(wait, min(asked_s, LONGEST_ASKED_S))
