"""How movement gains and loses speed: shares of time to shares of the way. Pure arithmetic, no px, no frames.

The curves are Penner's: cubic, and cubic with a swing beyond the end ("back").
"""

from __future__ import annotations

_BACK = 1.70158  # the way goes a tenth beyond its end


def ease_in(share: float) -> float:
    """Slow at first, fast at the end."""
    return share**3


def ease_out(share: float) -> float:
    """Fast at first, slow at the end."""
    return 1 - (1 - share) ** 3


def swing_out(share: float) -> float:
    """Fast at first, a little too far, and back."""
    left = share - 1
    return 1 + (_BACK + 1) * left**3 + _BACK * left**2
