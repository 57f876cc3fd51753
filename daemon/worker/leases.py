"""Who has fallen silent: judged by counters that stand still, on the observer's own clock. Pure, knows no database.

Wall clocks of several machines differ and jump, so no time that another machine has written is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

_LOOKS = 4


@dataclass(slots=True)
class _Seen:
    beats: int | None
    silent_s: float = 0.0


class Leases:
    """Owners and how long each has been silent. Look several times per `lease_s`, on a clock that never goes back.

    Time in which nobody looked counts for a quarter of a lease at most: an observer that was itself stopped, or cut
    off from the database as everybody else was, must not take all the others for dead when it wakes.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._seen: dict[str, _Seen] = {}
        self._looked_at: float | None = None

    def look(
        self, owners: Collection[str], beats: Mapping[str, int], now_s: float, *, could_beat: bool = True
    ) -> frozenset[str]:
        """Say which of `owners` are dead: those whose `beats` stood still, or were missing, for the whole lease.

        `could_beat`: whether beats could be written since the last look, as the observer has itself done. Where not,
        nobody's silence means anything, and it is as if nobody had looked.
        """
        gap_s = 0.0
        if could_beat:
            gap_s = 0.0 if self._looked_at is None else min(now_s - self._looked_at, self._lease_s / _LOOKS)
            self._looked_at = now_s
        before, self._seen = self._seen, {}
        for owner in owners:
            seen = before.get(owner)
            if seen is None or seen.beats != beats.get(owner):
                seen = _Seen(beats.get(owner))
            else:
                seen.silent_s += gap_s
            self._seen[owner] = seen
        return frozenset(owner for owner, seen in self._seen.items() if seen.silent_s >= self._lease_s)
