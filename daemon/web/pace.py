"""How often a minute something may be asked for that costs no job, for each name; in memory, so for this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime

from daemon.errors import TooManyRequests
from daemon.jobs import Limits
from daemon.store.quota import Level, take

MOST_NAMES = 10_000


class Pace:
    """`limit` is the name of this limit, `sentence` what is said where it is reached. Names that are used may be any
    number: beyond `MOST_NAMES` those used longest ago are forgotten. Used from several threads."""

    def __init__(self, limit: str, per_minute: int, sentence: str) -> None:
        self._limit = limit
        self._limits = Limits(per_minute=per_minute)
        self._sentence = sentence
        self._levels: OrderedDict[str, Level] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, now: datetime) -> None:
        """Count one.

        Raises:
            TooManyRequests: it was one too many, and counts for nothing.
        """
        with self._lock:
            self._levels[name], refusal = take(self._levels.pop(name, Level()), self._limits, now)
            while len(self._levels) > MOST_NAMES:
                self._levels.popitem(last=False)
        if refusal is not None:
            raise TooManyRequests(self._limit, self._sentence, refusal.retry_after_s)
