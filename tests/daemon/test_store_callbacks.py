"""The outbox of callbacks on a real database, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from daemon.callbacks.schedule import WAITS_S
from daemon.store.callbacks import LONGEST_WAIT, Callback, CallbackStore, NewCallback, Outcome, State, Try, insert
from daemon.store.database import Database
from daemon.store.tables import JobRow
from tests.daemon.conftest import every_database

URL = "https://n8n.example:5678/webhook-waiting/8?signature=secret"
Put = Callable[..., None]
pytestmark = every_database


@pytest.fixture
def outbox(vix_database: Database, movable_clock: Any) -> CallbackStore:
    return CallbackStore(vix_database, movable_clock)


@pytest.fixture
def put(vix_database: Database, movable_clock: Any) -> Put:
    def put(job_id: str = "job_1", url: str = URL, wait_s: float = 0.0, key_id: str = "key1", body: str = "{}") -> None:
        now = movable_clock()
        new = NewCallback(job_id, key_id, "job.done", url, {"X-A": "b"}, body, now, now + timedelta(seconds=wait_s))
        with vix_database.write() as connection:
            insert(connection, new)

    return put


def taken(outbox: CallbackStore, owner: str = "seat.1") -> Callback:
    callback = outbox.claim_due(owner, 60)
    assert callback is not None
    return callback


def outcome(clock: Any, state: State, wait_s: float = 0.0, status: int | None = 200) -> Outcome:
    return Outcome(Try(clock(), status, "Said.", 23), state, wait_s)


def test_comes_back_as_it_was_put(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put(body='{"a":"\\ud800"}')
    callback = taken(outbox)
    assert (callback.job_id, callback.key_id, callback.type, callback.url) == ("job_1", "key1", "job.done", URL)
    assert (callback.headers, callback.body) == ({"X-A": "b"}, '{"a":"\\ud800"}')
    assert (callback.state, callback.tries, callback.first_try_at) == (State.SENDING, 1, movable_clock())
    assert callback.id.startswith("msg_")
    assert "signature" not in repr(callback)


def test_not_before_its_time(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put(wait_s=1.0)
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.next_due_at("seat.1") == movable_clock() + timedelta(seconds=1)
    movable_clock.move(0.999999)
    assert outbox.claim_due("seat.1", 60) is None
    movable_clock.move(0.000001)
    assert taken(outbox).job_id == "job_1"


def test_goes_with_the_transaction_it_is_put_in(
    outbox: CallbackStore, vix_database: Database, movable_clock: Any
) -> None:
    at = movable_clock()

    def put_and_fail() -> None:
        with vix_database.write() as connection:
            insert(connection, NewCallback("job_1", "key1", "job.done", URL, {}, "{}", at, at))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put_and_fail()
    assert outbox.claim_due("seat.1", 60) is None


def test_one_try_at_a_time_for_a_host(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put("job_1", wait_s=-3)  # what is due at the same time has no order
    put("job_2", "HTTPS://user:pw@N8N.example:5678/other", wait_s=-2)
    put("job_3", "https://n8n.example/x", wait_s=-1)  # another port
    first, third = taken(outbox), taken(outbox, "another.2")
    assert (first.job_id, third.job_id) == ("job_1", "job_3")
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.claim_due("another.2", 60) is None
    assert outbox.record(first, "seat.1", outcome(movable_clock, State.DONE))
    assert taken(outbox).job_id == "job_2"


@pytest.mark.parametrize("same", ["http://n8n.example:80/b", "http://N8N.example./b", "HTTP://n8n.example.:80"])
def test_a_host_is_one_however_it_is_written(outbox: CallbackStore, put: Put, same: str) -> None:
    put("job_1", "http://n8n.example/a", wait_s=-2)
    put("job_2", same, wait_s=-1)
    assert taken(outbox).job_id == "job_1"
    assert outbox.claim_due("seat.1", 60) is None


def test_what_a_dead_sender_had_is_taken_once_it_counts_as_lost(
    outbox: CallbackStore, put: Put, movable_clock: Any
) -> None:
    put()
    first = taken(outbox, "dead.1")
    movable_clock.move(59)
    assert outbox.claim_due("seat.1", 60) is None
    movable_clock.move(1)
    again = taken(outbox, "seat.1")
    assert (again.id, again.tries) == (first.id, 2)
    # The one that was slow and not dead finds that it is not its any more.
    assert not outbox.record(first, "dead.1", outcome(movable_clock, State.DONE))
    assert outbox.record(again, "seat.1", outcome(movable_clock, State.DONE))


def test_a_clock_put_forward_sends_nothing_twice(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    """What this very process is sending is under way, whatever the clock says."""
    put()
    taken(outbox)
    movable_clock.move(86_400)
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.next_due_at("seat.1") is None


def test_a_new_start_of_the_seat_sends_again_at_once(outbox: CallbackStore, put: Put) -> None:
    put("job_1")
    put("job_2", "http://a/")
    put("job_3", "http://b/")
    ids = {taken(outbox, "seat.1-aa").job_id, taken(outbox, "seat.1-aa").job_id, taken(outbox, "seat2.1").job_id}
    assert len(ids) == 3
    assert outbox.release_seat("seat") == 2
    assert {taken(outbox, "seat.2-bb").tries for _ in range(2)} == {2}
    assert outbox.claim_due("seat.2-bb", 60) is None


def test_waits_as_long_as_was_said(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put()
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.READY, 2.0, 409))
    assert outbox.claim_due("seat.1", 60) is None
    movable_clock.move(2)
    again = taken(outbox)
    assert again.tries == 2
    assert again.first_try_at == movable_clock() - timedelta(seconds=2)


def test_first_tries_go_before_others(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put("job_1", "http://dead/")
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.READY, 0.0, None))
    movable_clock.move(5)
    put("job_2", "http://new/")
    assert [taken(outbox).job_id, taken(outbox).job_id] == ["job_2", "job_1"]


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_what_has_ended_is_not_sent(outbox: CallbackStore, put: Put, movable_clock: Any, state: State) -> None:
    put()
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, state))
    movable_clock.move(10**6)
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.next_due_at("seat.1") is None
    assert outbox.counts() == {**dict.fromkeys(State, 0), state: 1}


def test_the_log_of_a_job(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put("job_1")
    put("job_1", "http://operator/", key_id="operator")
    put("job_2", "http://other/")
    for status in (409, 200):
        callback = next(c for c in iter(lambda: taken(outbox), None) if c.url == URL)
        done = State.DONE if status == 200 else State.READY
        assert outbox.record(callback, "seat.1", outcome(movable_clock, done, 1.0, status))
        movable_clock.move(1)
    ((callback, tries),) = outbox.of_job("job_1", "key1")
    assert (callback.state, callback.ended_at) == (State.DONE, movable_clock() - timedelta(seconds=1))
    assert [one.status for one in tries] == [409, 200]
    assert tries[0] == Try(movable_clock() - timedelta(seconds=2), 409, "Said.", 23)
    assert outbox.of_job("job_1", "key2") == []
    assert outbox.of_job("job_9", "key1") == []


def test_once_more_from_the_beginning(
    outbox: CallbackStore, put: Put, movable_clock: Any, vix_database: Database
) -> None:
    ended_job(vix_database, "job_1", movable_clock())
    put()
    first = taken(outbox)
    assert outbox.record(first, "seat.1", outcome(movable_clock, State.FAILED, 0.0, 401))
    assert outbox.redeliver("job_1", "key2") == 0
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.redeliver("job_1", "key1") == 1
    again = taken(outbox)
    assert (again.id, again.tries, again.first_try_at, again.ended_at) == (first.id, 1, movable_clock(), None)
    # While it is being sent there is nothing to hurry.
    assert outbox.redeliver("job_1", "key1") == 1
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.record(again, "seat.1", outcome(movable_clock, State.DONE))
    assert [len(tries) for _, tries in outbox.of_job("job_1", "key1")] == [2]


def test_old_ones_are_forgotten_with_their_tries(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    put("job_1")
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.DONE))
    movable_clock.move(60)
    put("job_2")
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.FAILED))
    put("job_3")
    assert outbox.forget(movable_clock()) == 1
    assert outbox.of_job("job_1", "key1") == []
    assert [len(tries) for _, tries in outbox.of_job("job_2", "key1")] == [1]
    assert outbox.counts()[State.READY] == 1


@pytest.mark.parametrize("url", ["", "x", "://", "http://", "http://[::1", "http://" + "a" * 400, "http://é/"])
def test_no_url_can_break_the_end_of_a_job(outbox: CallbackStore, put: Put, url: str) -> None:
    put(url=url)
    assert taken(outbox).url == url


def ended_job(database: Database, job_id: str, at: datetime) -> None:
    values = {"kind": "template", "spec": {}, "seed": 1, "key_id": "key1", "client_data": None, "film_s": 1.0}
    with database.write() as connection:
        JobRow.insert(id=job_id, status="done", work=1.0, created_at=at, finished_at=at, **values).execute(connection)


def test_what_this_owner_lost_is_sent_again(outbox: CallbackStore, put: Put) -> None:
    put("job_1", "http://a/")
    put("job_2", "http://b/")
    put("job_3", "http://c/")
    lost, kept, _ = taken(outbox), taken(outbox), taken(outbox, "other.2")
    assert outbox.tidy("seat.1", {kept.id}) == 1
    assert outbox.tidy("seat.1", {kept.id}) == 0
    again = taken(outbox)
    assert (again.id, again.tries) == (lost.id, 2)


@pytest.mark.parametrize(("ahead_s", "tries"), [(7200, 0), (86_400 * 365, 0), (86_400 * 365, 1)])
def test_a_clock_that_was_ahead_puts_nothing_off(
    outbox: CallbackStore, put: Put, movable_clock: Any, ahead_s: float, tries: int
) -> None:
    movable_clock.move(ahead_s)
    put("job_1")
    for _ in range(tries):
        assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.READY, 1.0, None))
    movable_clock.move(-ahead_s)
    assert outbox.claim_due("seat.1", 60) is None
    assert outbox.tidy("seat.1", ()) == 1
    assert taken(outbox).job_id == "job_1"


def test_what_a_sender_whose_clock_was_ahead_had_is_sent_again(
    outbox: CallbackStore, put: Put, movable_clock: Any
) -> None:
    put()
    movable_clock.move(86_400 * 365)
    taken(outbox, "dead.1")
    movable_clock.move(-86_400 * 365)
    assert outbox.tidy("seat.1", ()) == 1
    assert taken(outbox).tries == 2


def test_tidying_leaves_what_is_meant_to_wait(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    longest_s = 1.1 * max(WAITS_S)
    assert longest_s < LONGEST_WAIT.total_seconds()
    put("job_1", "http://a/", wait_s=1.0)
    put("job_2", "http://b/")
    put("job_3", "http://c/")
    assert outbox.record(taken(outbox), "seat.1", outcome(movable_clock, State.READY, longest_s, None))
    taken(outbox, "other.2")
    assert outbox.tidy("seat.1", ()) == 0
    assert outbox.claim_due("seat.1", 60) is None


def test_standing_still_is_noticed(outbox: CallbackStore, put: Put, movable_clock: Any) -> None:
    def stands_still() -> bool:
        return outbox.stands_still(movable_clock() - timedelta(seconds=300))

    assert not stands_still()
    put("job_1", "http://dead/")
    movable_clock.move(300)
    assert not stands_still()
    movable_clock.move(1)
    assert stands_still()
    callback = taken(outbox)
    put("job_2", "http://dead/")
    assert outbox.record(callback, "seat.1", outcome(movable_clock, State.READY, 0.0, None))
    assert not stands_still()  # something is tried
    movable_clock.move(301)
    assert stands_still()
