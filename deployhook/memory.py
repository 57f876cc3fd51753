"""Remembers each delivery for a week with what became of it, in one small file. Knows nothing of deploys."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from deployhook import files

KEEP_S = 7 * 86_400
_MOST = 5_000
_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of a delivery. Only after `failed` is the same delivery acted on again."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A push that was delivered. `at` is in seconds since 1970."""

    id: str
    commit: str
    pusher: str
    at: float
    outcome: Outcome = Outcome.PENDING


class Memory:
    """Not for several threads at once. What cannot be read is set aside: a replay only deploys the tip."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._known = self._read()

    def outcome(self, delivery_id: str) -> Outcome | None:
        """What became of a delivery; None where it is new or long ago."""
        one = self._known.get(delivery_id)
        return one.outcome if one is not None and self._is_young(one) else None

    def note(self, delivery: Delivery) -> None:
        """Remember a delivery, and forget the old ones.

        Raises:
            StateUnwritable: it is remembered until this process ends.
        """
        self._known.pop(delivery.id, None)
        self._known[delivery.id] = delivery
        young = [one for one in self._known.values() if self._is_young(one)]
        self._known = {one.id: one for one in young[-_MOST:]}
        self._write()

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Change the outcomes of deliveries that are known.

        Raises:
            StateUnwritable: as `note`.
        """
        changed = {
            one.id: replace(one, outcome=outcomes[one.id])
            for one in self._known.values()
            if outcomes.get(one.id, one.outcome) != one.outcome
        }
        if changed:
            self._known.update(changed)
            self._write()

    def pending(self) -> list[Delivery]:
        """Deliveries of which nobody knows yet what became of them, the oldest first."""
        return [one for one in self._known.values() if one.outcome is Outcome.PENDING]

    def latest(self, most: int) -> list[Delivery]:
        """The deliveries that came last, the last one first."""
        return sorted(self._known.values(), key=lambda one: one.at, reverse=True)[:most]

    def _is_young(self, one: Delivery) -> bool:
        return self._clock() - one.at < KEEP_S

    def _read(self) -> dict[str, Delivery]:
        try:
            rows = json.loads(self._path.read_text("utf-8"))["deliveries"]
            return {one.id: one for one in map(_delivery, rows)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError) as exc:
            _log.warning("What is known of earlier deliveries cannot be read and is set aside: %s", type(exc).__name__)
            aside = self._path.with_name(f"{self._path.name}.broken")
            try:
                self._path.replace(aside)
            except OSError:
                _log.warning("It could not be set aside.")
            return {}

    def _write(self) -> None:
        rows = [asdict(one) for one in self._known.values()]
        files.replace(self._path, json.dumps({"version": 1, "deliveries": rows}, indent=0) + "\n")


def _delivery(row: Mapping[str, Any]) -> Delivery:
    outcome = Outcome(row["outcome"])
    return Delivery(str(row["id"]), str(row["commit"]), str(row["pusher"]), float(row["at"]), outcome)
