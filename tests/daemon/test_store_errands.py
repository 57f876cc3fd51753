"""The errand table: asked once, done once, given up when it kills."""

from __future__ import annotations

import pytest

from daemon.store.database import Database
from daemon.store.errands import MOST_TRIES, ErrandStore
from tests.daemon.conftest import MovableClock


@pytest.fixture
def errands(vix_database: Database, movable_clock: MovableClock) -> ErrandStore:
    return ErrandStore(vix_database, movable_clock)


def test_errands_are_done_in_the_order_of_asking(errands: ErrandStore, movable_clock: MovableClock) -> None:
    assert errands.next() is None
    first, second = errands.ask("scan"), errands.ask("unskip", "styles/a/b.mp4")
    taken = errands.next()
    assert taken == first
    errands.done(first, {"styles": []})
    assert errands.next() == second
    errands.done(second, {"usable": True})
    assert errands.next() is None
    assert [(errand.name, errand.argument, errand.answer) for errand in errands.recent()] == [
        ("unskip", "styles/a/b.mp4", {"usable": True}),
        ("scan", "", {"styles": []}),
    ]
    assert errands.recent()[0].done_at == movable_clock()


def test_what_waits_already_is_not_asked_for_twice(errands: ErrandStore) -> None:
    first = errands.ask("scan")
    assert errands.ask("scan") == first
    assert errands.ask("unskip", "a") != errands.ask("unskip", "b")
    errands.done(first, {})
    assert errands.ask("scan").id != first.id


def test_an_errand_that_kills_its_worker_is_given_up(errands: ErrandStore) -> None:
    bad, good = errands.ask("scan"), errands.ask("unskip", "a")
    assert [errands.next() for _ in range(MOST_TRIES)] == [bad] * MOST_TRIES
    assert errands.next() == good
    given_up = errands.recent()[1]
    assert given_up.answer is not None
    assert "died" in given_up.answer["error"]


def test_being_interrupted_is_no_failure(errands: ErrandStore) -> None:
    errand = errands.ask("scan")
    for _ in range(3 * MOST_TRIES):
        assert errands.next() == errand
        errands.put_off(errand)
    assert errands.recent() == [errand]


def test_the_first_answer_stays(errands: ErrandStore) -> None:
    errand = errands.ask("scan")
    errands.done(errand, {"by": "one worker"})
    errands.done(errand, {"by": "another"})
    errands.put_off(errand)
    assert errands.recent()[0].answer == {"by": "one worker"}


def test_done_errands_are_forgotten_and_waiting_ones_kept(errands: ErrandStore, movable_clock: MovableClock) -> None:
    errands.done(errands.ask("scan"), {})
    waiting = errands.ask("scan")
    movable_clock.move(10)
    assert errands.forget(movable_clock()) == 1
    assert errands.recent() == [waiting]
