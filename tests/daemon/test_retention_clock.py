"""What is kept where the clock was wrong: a machine without one of its own starts in 1970, or at the time when it was
switched off."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.jobs import Repeat
from daemon.retention import Pruned
from daemon.store.callbacks import CallbackStore, Outcome, State, Try
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock, new_job
from tests.daemon.test_retention import DAY, HOUR, Shop, shop_on


@pytest.fixture
def shop(vix_database: Database, tmp_path: Path, movable_clock: MovableClock) -> Shop:
    return shop_on(vix_database, tmp_path, movable_clock)


@pytest.mark.parametrize("started_again", [False, True])
@pytest.mark.parametrize("behind_s", [20 * DAY, 56 * 365 * DAY])
def test_a_film_that_was_finished_before_the_clock_was_set_is_kept_its_time(
    vix_database: Database, tmp_path: Path, movable_clock: MovableClock, behind_s: float, started_again: bool
) -> None:
    if started_again and behind_s == 20 * DAY:
        pytest.skip("Nobody can tell.")
    shop = shop_on(vix_database, tmp_path, movable_clock)
    movable_clock.step(-behind_s)
    assert shop.retention.prune() == Pruned()
    job = shop.made()
    movable_clock.move(HOUR)
    movable_clock.step(behind_s)
    if started_again:
        shop = shop_on(vix_database, tmp_path, movable_clock)
    assert shop.retention.prune() == Pruned()
    movable_clock.move(6 * DAY)
    assert shop.retention.prune() == Pruned()
    assert shop.jobs.get(job.id).film == job.film
    movable_clock.move(DAY + 1)
    assert shop.retention.prune().films == 1


def test_room_is_not_made_with_it_either(shop: Shop) -> None:
    shop.clock.step(-20 * DAY)
    assert shop.retention.prune() == Pruned()
    job = shop.made()
    shop.clock.step(20 * DAY)
    assert shop.retention.make_room(1) == 0
    assert shop.jobs.get(job.id).film == job.film


def test_what_was_finished_by_a_clock_that_was_ahead_goes_all_the_same(
    vix_database: Database, tmp_path: Path, movable_clock: MovableClock
) -> None:
    shop = shop_on(vix_database, tmp_path, movable_clock, told=True)
    assert shop.retention.prune() == Pruned()
    movable_clock.step(3650 * DAY)
    shop.jobs.submit(new_job(), repeat=Repeat("word", "a" * 64))
    job = shop.made()
    callbacks = CallbackStore(vix_database, movable_clock)
    sent = callbacks.claim_due("a", 60)
    assert sent
    callbacks.record(sent, "a", Outcome(Try(movable_clock(), 200, "taken", 1), State.DONE))
    assert shop.retention.prune() == Pruned()
    movable_clock.step(-3650 * DAY)
    for _ in range(2):  # the first finds that the clock was put back; from then on it is believed
        movable_clock.move(HOUR)
        assert shop.retention.prune() == Pruned()
    found = shop.jobs.get(job.id)
    assert found.created_at == found.started_at == found.finished_at == movable_clock()
    ((told, _),) = callbacks.of_job(job.id, "key1")
    assert told.created_at == found.finished_at, "it still tells of this end"
    assert callbacks.redeliver(job.id, "key1") == 1
    again = shop.jobs.submit(new_job(), repeat=Repeat("word", "a" * 64))
    assert again.repeated
    movable_clock.move(DAY)
    assert not shop.jobs.submit(new_job(), repeat=Repeat("word", "a" * 64)).repeated
    sent = callbacks.claim_due("a", 60)
    assert sent
    callbacks.record(sent, "a", Outcome(Try(movable_clock(), 200, "taken", 1), State.DONE))
    movable_clock.move(7 * DAY)
    assert shop.retention.prune().films == 1


def test_a_clock_that_was_never_set_removes_nothing_and_redates_nothing(shop: Shop) -> None:
    job = shop.made()
    shop.clock.step(-56 * 365 * DAY)
    for _ in range(3):
        shop.clock.move(HOUR)
        assert shop.retention.prune() == Pruned()
    assert shop.jobs.get(job.id) == job
