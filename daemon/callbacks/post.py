"""One try of one callback: take it from the outbox, sign it, send it, write down what came of it. Has no threads.

The try is on the disk before the first byte: who dies after that may have been heard, and the next one sends again
under the same id.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon import failpoints
from daemon.callbacks.schedule import wait_s
from daemon.callbacks.signature import sign
from daemon.callbacks.verdict import Verdict, judge
from daemon.errors import UnknownKey, VixError
from daemon.outbound.client import Outbound
from daemon.outbound.urls import parse
from daemon.store.callbacks import Callback, CallbackStore, Outcome, State, Try
from daemon.store.tables import utc_now

MOST_ANSWER_BYTES = 65_536
# Longer than a try and the waits of a busy database, by more than the clocks of two machines should differ: one that
# is ahead by all of it sends what another is sending, under the same id. The seat's next worker does not wait for it.
_VISIBLE_FOR_S = 180.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """What a try needs. `owner` names this run of this worker process, `secrets` gives the secrets of a key's
    callbacks (`whsec_...`, the current one first) or raises UnknownKey, `draw` gives a number from 0 to 1.
    `try_s` is how long a try may take in all."""

    store: CallbackStore
    outbound: Outbound
    secrets: Callable[[str], Sequence[str]]
    owner: str
    clock: Callable[[], datetime] = utc_now
    draw: Callable[[], float] = random.random
    try_s: float = 15.0

    def claim(self) -> Callback | None:
        """Take the next callback that is due; None where there is none.

        Raises:
            StoreError: it could not be taken.
        """
        callback = self.store.claim_due(self.owner, _VISIBLE_FOR_S)
        if callback is not None:
            failpoints.reach("callback_claimed")
        return callback

    def send(self, callback: Callback) -> Outcome:
        """Send a callback that was taken. Never raises: whatever happens is an outcome."""
        at, begun_s = self.clock(), time.monotonic()
        status, verdict = self._send(callback, at)
        failpoints.reach("callback_sent")
        attempt = Try(at, status, verdict.message, round((time.monotonic() - begun_s) * 1000))
        if verdict.state is not State.READY:
            return Outcome(attempt, verdict.state)
        elapsed_s = (self.clock() - (callback.first_try_at or at)).total_seconds()
        wait = wait_s(callback.tries, elapsed_s, verdict.asked_s, self.draw())
        return Outcome(attempt, State.FAILED) if wait is None else Outcome(attempt, State.READY, wait)

    def record(self, callback: Callback, outcome: Outcome) -> None:
        """Write down what came of a try.

        Raises:
            StoreError: it could not be written; try again.
        """
        state = self.store.record(callback, self.owner, outcome)
        failpoints.reach("callback_written")
        told = {"job": callback.job_id, "callback": callback.id, "status": outcome.attempt.status}
        if state is None:
            _log.warning("A callback was taken from this sender.", extra={"action": "callback_lost", **told})
        elif state is State.DONE:
            _log.info("A callback is delivered.", extra={"action": "callback_done", **told})
        elif state is State.SUPERSEDED:
            _log.info("A callback is not true any more.", extra={"action": "callback_superseded", **told})
        elif state is State.READY:
            told |= {"again_in_s": round(outcome.wait_s), "reason": outcome.attempt.message}
            _log.info("A callback is tried again later.", extra={"action": "callback_waits", **told})
        else:
            told |= {"reason": outcome.attempt.message}
            _log.warning("A callback is given up.", extra={"action": "callback_failed", **told})

    def _send(self, callback: Callback, at: datetime) -> tuple[int | None, Verdict]:
        try:
            secrets = self.secrets(callback.key_id)
            body = callback.body.encode()
            headers = {
                **callback.headers,
                "Content-Type": "application/json",
                **sign(secrets, callback.id, int(at.timestamp()), body),
            }
            answer = self.outbound.post(
                parse(callback.url), body, headers, total_s=self.try_s, most_bytes=MOST_ANSWER_BYTES
            )
        except UnknownKey:
            return None, Verdict(State.FAILED, "The key that it would be signed for is not there any more.")
        except VixError as exc:
            state = State.FAILED if getattr(exc, "permanent", False) else State.READY
            return None, Verdict(state, str(exc))
        except Exception as exc:
            _log.error(
                "A callback could not be sent.",
                exc_info=exc,
                extra={"action": "callback_error", "job": callback.job_id, "callback": callback.id},
            )
            return None, Verdict(State.READY, "Something went wrong here; the log says what.")
        return answer.status, judge(answer.status, answer.headers, answer.body, self.clock())
