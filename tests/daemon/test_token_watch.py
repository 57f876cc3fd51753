"""Tokens from healthy to dead and back: each warning once, and what was to be published waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.accounts.life import AccountState
from daemon.deliveries.life import State
from daemon.describe import Outlook, describe
from daemon.jobs import Status
from daemon.links import Links
from daemon.store.callbacks import CallbackStore
from daemon.store.database import Database
from daemon.store.keys import OPERATOR
from daemon.store.tables import CallbackRow
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import Outbox, outbox
from tests.fakes.facebook import Asked, Reply

_DAY_S = 86_400


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


def told(box: Outbox) -> list[str]:
    """The types of what the operator's URL is told of tokens, in order."""
    with box.database.read() as connection:
        rows = list(CallbackRow.select().order_by(CallbackRow.next_at, CallbackRow.created_at).execute(connection))
    types = sorted(rows, key=lambda row: row.created_at)
    return [row.type for row in types if row.type.startswith("token.")]


def page_token(box: Outbox) -> str:
    (account,) = box.accounts.list(removed=True)
    kept = box.vault.get(account.id)
    assert kept is not None
    return kept["token"]


def kill(box: Outbox, code: int = 190, subcode: int = 460) -> None:
    """Have the far side refuse every token that was given out so far."""
    for token in box.far.tokens.values():
        token.dead = (code, subcode)


def test_a_pasted_token_becomes_one_without_an_end(box: Outbox) -> None:
    (account,) = box.accounts.list()
    assert (account.name, account.state, account.expires_at) == ("Page 1", AccountState.OK, None)
    assert box.far.tokens[page_token(box)].expires_at == 0
    assert account.data_until is not None


def test_from_healthy_to_dead_and_replaced(box: Outbox, movable_clock: MovableClock) -> None:
    """Access to data ends ninety days after the login; then the token is revoked, and another one comes."""
    for _ in range(24 * 91):
        movable_clock.move(3600)
        box.watch.run()
    # The user's token is renewed each month; the page's data access ends: 14, 7, 3 and 1 days before, and then.
    warned = ["token.renewed"] * 2 + ["token.expiring"] * 5
    assert told(box) == warned
    (account,) = box.accounts.list()
    assert account.state is AccountState.OK
    assert "has ended" in account.warning
    kill(box)
    jobs = [box.post({"facebook": {"title": str(number)}}) for number in range(3)]
    for _ in range(48):
        movable_clock.move(3600)
        box.turns()
        box.watch.run()
    assert told(box) == [*warned, "token.expired"]
    assert [box.states(job) for job in jobs] == [[State.HELD]] * 3
    (account,) = box.accounts.list()
    assert account.state is AccountState.DEAD
    assert "password was changed" in account.problem
    late = box.post({"facebook": {"title": "3"}})
    assert box.states(late) == [State.HELD]
    box.connect("EAAnew" + "2" * 40)
    box.turns()
    assert [box.jobs.get(job.id).status for job in [*jobs, late]] == [Status.DONE] * 4
    assert [video.fields["title"] for video in box.far.posts] == ["0", "1", "2", "3"]
    assert [video.posts for video in box.far.posts] == [1] * 4
    for _ in range(24 * 5):
        movable_clock.move(3600)
        box.watch.run()
    assert told(box) == [*warned, "token.expired"]


def test_who_looks_late_is_told_once(box: Outbox, movable_clock: MovableClock) -> None:
    movable_clock.move(88.5 * _DAY_S)
    box.watch.run()
    box.watch.run()
    assert told(box) == ["token.expiring"]
    movable_clock.move(0.8 * _DAY_S)
    box.watch.look(box.accounts.list()[0])
    assert told(box) == ["token.expiring"] * 2


def test_a_warning_is_in_the_status_of_every_job_that_needs_the_account(
    box: Outbox, movable_clock: MovableClock
) -> None:
    movable_clock.move(80 * _DAY_S)
    box.watch.run()
    job = box.ask()
    (warning,) = describe(box.jobs.get(job.id), Outlook(1, 1.0), Links("http://vix.test"))["warnings"]
    assert 'The access of "Page 1" to data ends on' in warning


def test_a_token_that_dies_while_it_is_used_holds_the_film(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    kill(box, 190, 463)
    box.turns()
    assert box.states(job) == [State.HELD]
    assert told(box) == ["token.expired"]
    assert box.alarms() == ["Vix: Page 1 cannot be published on"]
    movable_clock.move(30 * _DAY_S)
    box.watch.run()
    assert box.turn() is None
    assert told(box) == ["token.expired"]
    box.connect("EAAnew" + "2" * 40)
    box.turns()
    assert [video.posts for video in box.far.posts] == [1]


def test_a_token_that_dies_in_the_order_is_not_a_second_post(box: Outbox, movable_clock: MovableClock) -> None:
    """The order was taken, its answer lost, and then the token died: with another one, the far side is asked first."""
    job = box.post()
    box.far.drop_answers_of.append("finish")
    box.turns()
    kill(box)
    movable_clock.move(200)
    box.turns()
    assert box.states(job) == [State.SENDING]
    assert box.turn() is None
    box.connect("EAAnew" + "2" * 40)
    movable_clock.move(200)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_a_token_that_is_good_again_is_used_again(box: Outbox, movable_clock: MovableClock) -> None:
    """Facebook wanted somebody to log in and confirm something; then the same token works."""
    job = box.post()
    kill(box, 190, 459)
    movable_clock.move(_DAY_S)
    box.watch.run()
    assert box.states(job) == [State.HELD]
    for token in box.far.tokens.values():
        token.dead = None
    movable_clock.move(2 * 3600)
    box.watch.run()
    box.turns()
    assert box.states(job) == [State.DONE]
    assert told(box) == ["token.expired", "token.valid"]


def test_a_page_that_refuses_a_good_token_is_not_tried_for_ever(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    refused = Reply(403, {"error": {"code": 200, "message": "(#200) The user has no right on this page"}})
    box.far.script = lambda asked: refused if asked.method == "POST" else None
    for _ in range(100):
        box.turns()
        movable_clock.move(3600)
        box.watch.run()
    assert box.states(job) == [State.HELD]
    assert told(box) == ["token.expired"]
    box.far.script = None
    box.watch.look(box.accounts.list()[0])  # which an operator asks for, once he has put it right
    box.turns()
    assert box.states(job) == [State.DONE]


def test_a_role_that_was_taken_away_is_noticed(box: Outbox, movable_clock: MovableClock) -> None:
    next(iter(box.far.pages.values())).tasks = ["ANALYZE"]
    movable_clock.move(_DAY_S)
    box.watch.run()
    (account,) = box.accounts.list()
    assert account.state is AccountState.DEAD
    assert "does not include publishing" in account.problem


def test_a_far_side_that_is_down_says_nothing_of_the_token(box: Outbox, movable_clock: MovableClock) -> None:
    box.far.script = lambda asked: Reply(503, "down")
    movable_clock.move(_DAY_S)
    box.watch.run()
    assert box.accounts.list()[0].state is AccountState.OK
    assert told(box) == []


def test_a_users_token_is_renewed_before_it_ends(box: Outbox, movable_clock: MovableClock) -> None:
    (account,) = box.accounts.list()
    before = dict(box.vault.get(account.id) or {})
    movable_clock.move(35 * _DAY_S)
    box.watch.run()
    after = box.vault.get(account.id) or {}
    assert after["user_token"] != before["user_token"]
    assert box.far.tokens[after["token"]].expires_at == 0
    assert told(box) == ["token.renewed"]


def test_what_asks_to_be_left_alone_is(box: Outbox, movable_clock: MovableClock) -> None:
    """The headers tell before the far side blocks."""
    usage = {
        "type": "pages",
        "call_count": 95,
        "total_cputime": 5,
        "total_time": 5,
        "estimated_time_to_regain_access": 0,
    }
    box.far.page_usage = {"1": [usage]}
    box.post()
    second = box.post()
    box.turns()
    assert [video.posts for video in box.far.posts] == [1]
    box.far.page_usage = {}
    movable_clock.move(1000)
    box.turns()
    assert box.states(second) == [State.DONE]


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001])
def test_a_throttled_account_waits_as_long_as_it_is_told(box: Outbox, movable_clock: MovableClock, code: int) -> None:
    def script(asked: Asked) -> Reply | None:
        if "upload_phase" not in asked.params:
            return None
        usage = {"1": [{"type": "pages", "call_count": 120, "estimated_time_to_regain_access": 42}]}
        error = {"error": {"code": code, "message": "too many calls"}}
        return Reply(400, error, {"X-Business-Use-Case-Usage": json.dumps(usage)})

    box.far.script = script
    job = box.post()
    box.turns()
    asked = len(box.far.asked)
    movable_clock.move(41 * 60)
    assert box.turn() is None
    assert len(box.far.asked) == asked
    box.far.script = None
    movable_clock.move(2 * 60)
    box.turns()
    assert box.states(job) == [State.DONE]


def test_thirty_reels_a_day_and_not_more(box: Outbox, movable_clock: MovableClock) -> None:
    jobs = [box.post() for _ in range(32)]
    for _ in range(60):
        box.turns()
        movable_clock.move(60)
    assert [box.states(job) for job in jobs] == [[State.DONE]] * 30 + [[State.READY]] * 2
    assert not [asked for asked in box.far.asked if "2207042" in str(asked)]
    movable_clock.move(_DAY_S)
    box.turns()
    box.turns()
    assert [video.posts for video in box.far.posts] == [1] * 32


def test_the_far_sides_own_limit_is_waited_for(box: Outbox, movable_clock: MovableClock) -> None:
    """Somebody else posts on the page, too."""
    box.far.most_reels_a_day = 1
    jobs = [box.post(), box.post()]
    box.turns()
    assert [box.states(job) for job in jobs] == [[State.DONE], [State.READY]]
    for _ in range(26):
        movable_clock.move(3600)
        box.turns()
    assert box.states(jobs[1]) == [State.DONE]


def test_the_operator_is_told_at_his_url_with_a_signature(box: Outbox) -> None:
    box.post()
    kill(box)
    box.turns()
    callback = CallbackStore(box.database, box.clock).claim_due("seat.1-1", 60)
    assert callback is not None
    assert callback.key_id == OPERATOR  # whose secret signs it
    body = json.loads(callback.body)
    assert body["type"] in ("token.expired", "delivery.held")
