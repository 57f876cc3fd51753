"""One step of one delivery: prepare and send it, find out what came of sending, or see to what follows. Has no threads.

What a step means for the delivery is decided here, the same for every far side:

    ready     prepare, then `sending` on the disk, then send
    sending   nobody knows: after the settle time, ask. Only "nothing has happened" leads back to `ready`
    accepted  finalize, as often as it takes
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from daemon import failpoints
from daemon.deliveries.life import Delivery, Setback, State, Step
from daemon.deliveries.setbacks import DeliveryError, NeedsHuman, Passing, Refused, Throttled, Unclear
from daemon.deliveries.target import Later, Parcel, Seen, Session, Target
from daemon.deliveries.waits import before_sending_s, follow_again_s, probe_again_s
from daemon.errors import StoreError, UnknownAccount, VaultLocked
from daemon.films import Films
from daemon.store.accounts import AccountStore
from daemon.store.deliveries import DeliveryStore
from daemon.store.notices import Notice
from daemon.store.tables import utc_now

# Longer than the slowest step between two writes: an upload writes down how far it is at least every few seconds.
_LEASE_S = 300.0
_DAY = timedelta(days=1)
_NOT_YET_S = 30.0
_MOST_NOT_YET = 40  # of asking whether an order is done, some twenty minutes
_CLOCKS_DIFFER = timedelta(hours=1)  # more than those of two machines should
_AT_ONCE = 2  # orders that had no effect and are given again without a wait
_log = logging.getLogger(__name__)


class TakenAway(Exception):
    """Somebody else has the delivery by now, or it was called off."""


class _Disconnected(NeedsHuman):
    """There is no account to ask with any more."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a step needs. `owner` names this run of this worker process; `secrets` opens those of an account, `dead` is
    told of an account whose token is refused, why, and when the token that was used was connected; `draw` gives a
    number from 0 to 1. `at_work` are the deliveries that this process is at: whatever the clock says, nobody here takes
    them from whoever is at them."""

    store: DeliveryStore
    accounts: AccountStore
    targets: Mapping[str, Target]
    films: Films
    secrets: Callable[[str], Mapping[str, str] | None]
    dead: Callable[[str, str, datetime | None], object]
    owner: str
    clock: Callable[[], datetime] = utc_now
    draw: Callable[[], float] = random.random
    at_work: set[str] = field(default_factory=set)

    def claim(self) -> Delivery | None:
        """Take the next delivery that is due; None where there is none.

        Raises:
            StoreError: it could not be taken.
        """
        delivery = self.store.claim_due(self.owner, _LEASE_S, tuple(self.at_work))
        if delivery is not None:
            self.at_work.add(delivery.id)
            failpoints.reach("delivery_claimed")
        return delivery

    def step(self, delivery: Delivery) -> None:
        """Be at a delivery until there is nothing more to do for now, and write down what came of it.

        Raises:
            StoreError: that could not be written; the delivery is found again when its time has come.
        """
        try:
            _Turn(self, delivery).run()
        except TakenAway:
            _log.info("A delivery was taken away.", extra={"action": "delivery_lost", "delivery": delivery.id})
        finally:
            self.at_work.discard(delivery.id)


class _Turn:
    """One claim of one delivery."""

    def __init__(self, house: Dispatch, delivery: Delivery) -> None:
        self._house = house
        self._delivery = delivery
        self._is_sent_now = False
        self._settle_s = 0.0
        self._connected_at: datetime | None = None
        self._told = {"delivery": delivery.id, "job": delivery.job_id}
        self._trouble_before = delivery.error.code if delivery.error else ""

    def run(self) -> None:
        session = None
        try:
            parcel, target = self._parcel()
            session, self._settle_s = target.open(parcel, self._delivery.remote), target.settle_s
            if self._delivery.state is State.READY:
                self._publish(session, target, parcel)
            elif self._delivery.state is State.SENDING:
                self._find_out(session)
            if self._delivery.state is State.ACCEPTED:
                self._follow_up(session)
        except DeliveryError as exc:
            self._setback(exc, session.remote if session else {})
        except (StoreError, TakenAway):
            raise
        except Exception as exc:
            _log.error(
                "A delivery met something unexpected.", exc_info=exc, extra={"action": "delivery_error"} | self._told
            )
            error = Unclear("Something went wrong here; the log says what.", "internal")
            self._setback(error, session.remote if session else {})
        finally:
            self._pause(session.pause_s if session else 0.0)

    def _parcel(self) -> tuple[Parcel, Target]:
        house, delivery = self._house, self._delivery
        target = house.targets.get(delivery.target)
        if target is None:
            raise Refused(f"This version of Vix does not know how to publish on {delivery.target}.", "unknown_target")
        found = house.store.film_of(delivery)
        if found is None and delivery.state is State.READY:
            raise Refused("The film is not kept any more.", "film_gone")
        stem, result = found or ("", {})
        try:
            account = house.accounts.get(delivery.account_id)
            self._connected_at = account.connected_at  # read first: what is read after it is no older
            secrets = house.secrets(delivery.account_id)
        except UnknownAccount:
            raise _Disconnected("The account is not connected any more.", "unknown_account") from None
        except VaultLocked as exc:
            raise NeedsHuman(str(exc), exc.code) from exc
        if secrets is None:
            raise NeedsHuman("The account's token is not there; connect it again.", "no_token")
        folder = house.films.folder
        parcel = Parcel(
            delivery.id, delivery.spec, folder / f"{stem}.mp4", folder / f"{stem}.jpg", result, account, secrets
        )
        if delivery.state is State.READY and not parcel.film.is_file():
            raise Passing("The film's file is not here now.", "film_not_here", 5)
        return parcel, target

    def _publish(self, session: Session, target: Target, parcel: Parcel) -> None:
        session.prepare(self._keep)
        failpoints.reach("delivery_prepared")
        self._wait_for_a_place(target, parcel)
        self._go_on(State.SENDING, session.remote, target.settle_s)
        self._is_sent_now = True
        failpoints.reach("delivery_sending")
        _log.info("A film is published.", extra={"action": "delivery_sending"} | self._told)
        session.send(self._house.clock())
        failpoints.reach("delivery_sent")
        self._go_on(State.ACCEPTED, session.remote, _LEASE_S)
        failpoints.reach("delivery_accepted")

    def _wait_for_a_place(self, target: Target, parcel: Parcel) -> None:
        """See that the account has not published as much in a day as it may, before the far side says so."""
        most, now = target.most_a_day(parcel), self._house.clock()
        sent = self._house.store.sent_since(parcel.account.id, now - _DAY) if most else []
        sent = [at for at in sent if at <= now + _CLOCKS_DIFFER]  # others are of a clock that was ahead
        if most and len(sent) >= most:
            wait_s = (sent[-most] + _DAY - now).total_seconds() + 1
            sentence = f"This account has published its {most} of the last 24 hours."
            raise Throttled(sentence, "daily_limit", max(wait_s, 60.0), account=False)

    def _find_out(self, session: Session) -> None:
        seen = session.probe()
        failpoints.reach("delivery_probed")
        _log.info("The far side was asked.", extra={"action": "delivery_probed", "seen": seen.value} | self._told)
        if seen is Seen.PUBLISHED:
            self._go_on(State.ACCEPTED, session.remote, _LEASE_S)
        elif seen is Seen.NOTHING:
            self._let_go(self._send_again(session.remote))
        elif seen is Seen.NOT_YET and self._delivery.tries < _MOST_NOT_YET:
            self._let_go(Step(State.SENDING, session.remote, _NOT_YET_S, tries=self._delivery.tries + 1))
        else:
            error = Setback("cannot_tell", "The far side cannot say what came of the order to publish.", False)
            self._let_go(Step(State.UNKNOWN, session.remote, error=error))

    def _send_again(self, remote: dict[str, Any]) -> Step:
        """The order had no effect for sure: at once the first times, and not without end."""
        error = Setback("not_taken", "The order to publish had no effect; it is given again.", False)
        beyond = self._delivery.orders - _AT_ONCE
        wait_s = before_sending_s(beyond, 0, self._house.draw()) if beyond > 0 else 0.0
        if wait_s is None:
            return Step(State.FAILED, remote, error=error)
        return Step(State.READY, remote, wait_s, error)

    def _follow_up(self, session: Session) -> None:
        done = session.finalize(self._keep)
        if isinstance(done, Later):
            self._let_go(Step(State.ACCEPTED, session.remote, done.wait_s, tries=self._delivery.tries))
        else:
            self._let_go(Step(State.DONE, session.remote, warnings=done))
            failpoints.reach("delivery_done")

    def _setback(self, exc: DeliveryError, remote: dict[str, Any]) -> None:
        """Decide what an error means, by its kind and by whether the order to publish is out."""
        delivery = self._delivery
        remote = remote or delivery.remote
        _log.warning(
            "A delivery has a setback.",
            extra={"action": "delivery_setback", "code": exc.code, "reason": str(exc), "state": delivery.state}
            | self._told,
        )
        if isinstance(exc, NeedsHuman):
            self._house.dead(delivery.account_id, str(exc), self._connected_at)
        elif isinstance(exc, Throttled) and exc.account:
            self._pause(exc.wait_s)
        steps = {State.READY: self._unsent, State.SENDING: self._unsure, State.ACCEPTED: self._unfinished}
        is_news = isinstance(exc, Throttled) and exc.is_block and exc.code != self._trouble_before
        self._let_go(steps[delivery.state](exc, remote), _blocked(delivery, str(exc)) if is_news else None)

    def _unsent(self, exc: DeliveryError, remote: dict[str, Any]) -> Step:
        if isinstance(exc, Refused):
            return Step(State.FAILED, remote, error=_error(exc, permanent=True))
        if isinstance(exc, NeedsHuman):
            return Step(State.READY, remote, error=_error(exc))  # which is held, as the account is dead
        if isinstance(exc, Throttled):
            return Step(State.READY, remote, exc.wait_s, _error(exc), self._delivery.tries)
        tries = self._delivery.tries + 1
        wait_s = before_sending_s(tries, getattr(exc, "most_tries", 0), self._house.draw())
        if wait_s is None:
            return Step(State.FAILED, remote, error=_error(exc), tries=tries)
        return Step(State.READY, remote, wait_s, _error(exc), tries)

    def _unsure(self, exc: DeliveryError, remote: dict[str, Any]) -> Step:
        """The order is out. Where the far side says that it has not taken it, it is as if it were not."""
        if self._is_sent_now and not isinstance(exc, Unclear):
            return self._unsent(exc, remote)
        if self._is_sent_now:
            return Step(State.SENDING, remote, self._settle_s, _error(exc))
        tries = self._delivery.tries + 1
        wait_s = probe_again_s(tries, self._house.draw())
        if isinstance(exc, Refused | _Disconnected) or wait_s is None:
            return Step(State.UNKNOWN, remote, error=_error(exc))
        if isinstance(exc, Throttled):
            wait_s = max(wait_s, exc.wait_s)
        return Step(State.SENDING, remote, wait_s, _error(exc), tries)

    def _unfinished(self, exc: DeliveryError, remote: dict[str, Any]) -> Step:
        if isinstance(exc, Refused):
            return Step(State.FAILED, remote, error=_error(exc, permanent=True))
        tries = self._delivery.tries + 1
        wait_s = follow_again_s(tries, self._house.draw())
        if wait_s is None or isinstance(exc, _Disconnected):
            return Step(State.DONE, remote, warnings=(f"published, but what follows could not be done: {exc}",))
        return Step(State.ACCEPTED, remote, wait_s, _error(exc), tries)

    def _keep(self, remote: dict[str, Any]) -> None:
        self._go_on(self._delivery.state, remote, _LEASE_S)

    def _go_on(self, state: State, remote: dict[str, Any], lease_s: float) -> None:
        tries = 0 if state is State.ACCEPTED and state is not self._delivery.state else self._delivery.tries
        kept = self._house.store.go_on(self._delivery, Step(state, remote, tries=tries), lease_s)
        if kept is None:
            raise TakenAway
        self._delivery = kept

    def _let_go(self, step: Step, notice: Notice | None = None) -> None:
        if not self._house.store.let_go(self._delivery, step, notice):
            raise TakenAway
        self._delivery = replace(self._delivery, state=step.state)

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._house.accounts.pause(self._delivery.account_id, self._house.clock() + timedelta(seconds=seconds))


def _blocked(delivery: Delivery, sentence: str) -> Notice:
    name = delivery.account_name or delivery.target
    data = {"account_id": delivery.account_id, "account": name, "kind": delivery.target}
    return Notice("account.blocked", f"Vix: {name} is blocked", sentence, data, delivery.job_id)


def _error(exc: DeliveryError, *, permanent: bool = False) -> Setback:
    return Setback(exc.code, str(exc), permanent)
