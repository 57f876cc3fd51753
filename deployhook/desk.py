"""Decides what is done about a push, heard of or missed: one file that asks for a deploy, or nothing. Knows no HTTP."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployhook import remote, request, status
from deployhook.errors import RemoteSilent, StateUnwritable
from deployhook.github import Push
from deployhook.memory import Delivery, Memory, Outcome
from deployhook.settings import Settings

_SHOWN_DEPLOYS, _SHOWN_DELIVERIES, _KNOWN_DELIVERIES = 5, 20, 1000
# Of a delivery that no deploy and no request names after so long, the request was lost: on a full disk, say.
_LOST_AFTER_S = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at the last look at the remote."""

    at: str = ""
    commit: str = ""
    problem: str = ""


class Desk:
    """For several threads at once. `ask_remote` returns the commit that the branch has at the remote."""

    def __init__(self, settings: Settings, memory: Memory, ask_remote: Callable[[], str] | None = None) -> None:
        self._settings = settings
        self._memory = memory
        self._ask_remote = ask_remote or self._ask
        self._turn = threading.Lock()
        self.look = Look()

    def hear(self, delivery_id: str, push: Push) -> Outcome | None:
        """Ask for a deploy because of a delivery, unless it was acted on; then say what became of it.

        Raises:
            StateUnwritable: nothing was asked for, and the same delivery may come again.
        """
        with self._turn:
            self._settle()
            known = self._memory.outcome(delivery_id)
            if known in (Outcome.PENDING, Outcome.DONE):
                return known
            waiting = [one.id for one in self._memory.pending()]
            request.write(self._settings.state, "push", [*waiting, delivery_id], _iso(time.time()))
            try:
                self._memory.note(Delivery(delivery_id, push.commit, push.pusher, time.time()))
            except StateUnwritable as exc:
                _log.warning("A delivery is remembered only until the hook ends: %s", exc)
        _log.info("A push of %s asks for a deploy, delivery %s.", push.commit[:12], delivery_id)
        return None

    def catch_up(self) -> None:
        """Ask for a deploy if the remote is ahead of what runs and nobody knows why. Never raises: the next look
        comes."""
        try:
            head = self._ask_remote()
        except RemoteSilent as exc:
            problem = status.without_credentials(str(exc))
            self.look = Look(_iso(time.time()), "", problem)
            _log.warning("The remote could not be asked: %s", problem)
            return
        self.look = Look(_iso(time.time()), head)
        try:
            with self._turn:
                self._settle()
                self._ask_if_missed(head)
        except StateUnwritable as exc:
            _log.error("A missed push cannot be asked for: %s", exc)

    def report(self) -> dict[str, Any]:
        """All that is known of deploys, for those who may see it."""
        state, records = self._settings.state, self._settings.records
        with self._turn:
            try:
                self._settle()
            except StateUnwritable as exc:
                _log.warning("What became of deliveries cannot be written down: %s", exc)
            deliveries = [_shown(one) for one in self._memory.latest(_KNOWN_DELIVERIES)]
        asked_by = {str(one["delivery"]): one for one in deliveries}
        known = status.deploys(records)[-_SHOWN_DEPLOYS:]
        return {
            "repository": self._settings.repository,
            "branch": self._settings.branch,
            "commit": self.commit(),
            "remote": {"commit": self.look.commit, "asked_at": self.look.at or None, "problem": self.look.problem},
            "waiting": request.is_waiting(state),
            "deploys": [status.as_json(one, asked_by, status.log_tail(records, one.id)) for one in reversed(known)],
            "deliveries": deliveries[:_SHOWN_DELIVERIES],
        }

    def health(self) -> dict[str, Any]:
        """Whether pushes are heard and missed ones found, in the shape of the daemon's own."""
        writable = os.access(self._settings.state, os.W_OK | os.X_OK)
        seen = not self.look.problem
        checks = {
            "state": {"ok": writable, "message": "can be written" if writable else "cannot be written"},
            "remote": {
                "ok": seen,
                "message": "answers" if self.look.at and seen else "silent" if not seen else "not asked yet",
            },
        }
        return {"status": "ok" if writable and seen else "failing", "commit": self.commit(), "checks": checks}

    def commit(self) -> str:
        """The commit that is live; empty before the first deploy."""
        return status.running_commit(self._settings.base)

    def _ask(self) -> str:
        one = self._settings
        return remote.head(one.checkout, one.remote, one.branch, one.environment)

    def _ask_if_missed(self, head: str) -> None:
        state, records = self._settings.state, self._settings.records
        if request.is_waiting(state) or status.is_at_work(records):
            return
        if status.is_unfinished(records):
            reason = "a deploy was cut off"
        elif head != self.commit() and head not in status.given_up(status.deploys(records)):
            reason = "a push was missed"
        else:
            return
        waiting = [one.id for one in self._memory.pending()]
        request.write(state, reason, waiting, _iso(time.time()))
        _log.info("A deploy is asked for, as %s; the remote has %s.", reason, head[:12])

    def _settle(self) -> None:
        """Learn from the records of deploys what became of deliveries."""
        state, records = self._settings.state, self._settings.records
        at_work = status.is_at_work(records)  # before the records: one that ends meanwhile has written its end
        outcomes = status.outcomes(status.deploys(records), at_work)
        if not request.is_waiting(state):
            lost = (one for one in self._memory.pending() if not at_work and time.time() - one.at > _LOST_AFTER_S)
            outcomes.update({one.id: Outcome.FAILED for one in lost if one.id not in outcomes})
        else:  # whatever earlier deploys say, these are asked for again
            outcomes.update(dict.fromkeys(request.deliveries(state / request.NAME), Outcome.PENDING))
        self._memory.settle(outcomes)


def _shown(one: Delivery) -> dict[str, Any]:
    return {
        "delivery": one.id,
        "pusher": one.pusher,
        "commit": one.commit,
        "at": _iso(one.at),
        "outcome": one.outcome.value,
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
