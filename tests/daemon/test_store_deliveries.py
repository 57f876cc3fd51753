"""The outbox of deliveries on every kind of database: whose turn it is, what is held, and what its rows say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.deliveries.life import State, Step
from daemon.jobs import Status
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock, every_database
from tests.daemon.outbox import REEL, SETTLE_S, Outbox, outbox
from tests.fakes.facebook import Reply


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path, pages=2) as found:
        yield found


def posted(box: Outbox, page: str = "Page 1", **post: object) -> str:
    """The id of the delivery of a finished film."""
    return box.post({"facebook": {"page": page, **post}}).deliveries[0].id


@every_database
def test_from_asked_to_done(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post({"facebook": [{"page": "Page 1"}, {"page": "Page 2"}]})
    box.far.drop_answers_of.append("finish")
    box.turns()
    assert sorted(box.states(job)) == [State.DONE, State.SENDING]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.jobs.get(job.id).status is Status.DONE
    assert [video.posts for video in box.far.posts] == [1, 1]
    counts = box.deliveries.counts()
    assert counts[State.DONE] == 2
    assert sum(counts.values()) == 2


@every_database
def test_held_posts_of_a_page_go_out_in_the_order_in_which_they_are_due(
    box: Outbox, movable_clock: MovableClock
) -> None:
    late = (movable_clock() + timedelta(hours=3)).isoformat(timespec="seconds")
    ids = [posted(box, title="2", at=late), posted(box, title="0"), posted(box, title="1")]
    (first, _) = box.accounts.list()
    assert box.accounts.died(first, "It was refused.", None)
    assert not box.accounts.died(first, "It was refused.", None)
    assert {box.deliveries.get(one).state for one in ids} == {State.HELD}
    movable_clock.move(3600)
    assert box.turn() is None
    box.connect("EAAnew" + "2" * 40)
    box.turns()
    assert [video.fields["title"] for video in box.far.posts] == ["0", "1"]
    movable_clock.move(3 * 3600)
    box.turns()
    assert [video.fields["title"] for video in box.far.posts] == ["0", "1", "2"]


@every_database
def test_one_at_a_time_of_a_page_and_pages_beside_each_other(box: Outbox, movable_clock: MovableClock) -> None:
    first, second, other = posted(box), posted(box), posted(box, "Page 2")
    taken = [box.deliveries.claim_due("seat.1-1", 300) for _ in range(3)]
    assert [one and one.id for one in taken] == [first, other, None]
    assert taken[0] is not None
    # One that waits for its next try stays before those that were due after it.
    assert box.deliveries.let_go(taken[0], Step(State.READY, {}, wait_s=60, tries=1))
    assert not box.deliveries.let_go(taken[0], Step(State.DONE, {}))
    assert box.deliveries.claim_due("seat.1-1", 300) is None
    movable_clock.move(61)
    again = box.deliveries.claim_due("seat.1-1", 300)
    assert again is not None
    assert (again.id, again.claims, again.tries) == (first, 2, 1)
    assert box.deliveries.let_go(again, Step(State.FAILED, {}))
    found = box.deliveries.claim_due("seat.1-1", 300)
    assert found is not None
    assert found.id == second


@every_database
def test_a_page_that_wants_to_be_left_alone_is(box: Outbox, movable_clock: MovableClock) -> None:
    posted(box)
    (first, _) = box.accounts.list()
    box.accounts.pause(first.id, movable_clock() + timedelta(minutes=10))
    box.accounts.pause(first.id, movable_clock() + timedelta(minutes=5))  # the longer one counts
    movable_clock.move(6 * 60)
    assert box.deliveries.claim_due("seat.1-1", 300) is None
    movable_clock.move(5 * 60)
    assert box.deliveries.claim_due("seat.1-1", 300) is not None


@every_database
def test_what_a_dead_worker_was_at_is_due_at_once_but_for_what_it_was_sending(
    box: Outbox, movable_clock: MovableClock
) -> None:
    posted(box)
    posted(box, "Page 2")
    one, two = box.deliveries.claim_due("seat.1-1", 300), box.deliveries.claim_due("seat.1-1", 300)
    assert one is not None
    assert two is not None
    assert box.deliveries.go_on(one, Step(State.SENDING, {"video_id": "1"}), SETTLE_S)
    assert box.deliveries.release_seat("other") == 0
    assert box.deliveries.release_seat("seat") == 2
    again = box.deliveries.claim_due("seat.2-2", 300)
    assert again is not None
    assert again.id == two.id
    assert box.deliveries.go_on(two, Step(State.SENDING, {}), SETTLE_S) is None
    assert box.deliveries.claim_due("seat.2-2", 300) is None
    movable_clock.move(SETTLE_S + 1)
    found = box.deliveries.claim_due("seat.2-2", 300)
    assert found is not None
    assert (found.id, found.state, found.remote) == (one.id, State.SENDING, {"video_id": "1"})


@every_database
def test_pages_of_the_list(box: Outbox) -> None:
    ids = [posted(box) for _ in range(5)]
    page = box.deliveries.page(None, limit=2)
    assert [one.id for one in page.deliveries] == ids[:2:-1]
    rest = box.deliveries.page("key1", states=[State.READY, State.DONE], limit=10, before=page.next)
    assert [one.id for one in rest.deliveries] == ids[2::-1]
    assert rest.next is None
    assert box.deliveries.page("key2", limit=10).deliveries == ()


@every_database
def test_which_clips_a_page_has_shown_lately(box: Outbox, movable_clock: MovableClock) -> None:
    def film(*clips: str) -> dict[str, object]:
        return {**REEL, "style": "sea", "clips": [{"name": clip} for clip in clips]}

    box.post({"facebook": {"page": "Page 1"}}, film("a.mp4", "b.mp4"))
    movable_clock.move(60)
    failed = box.post({"facebook": {"page": "Page 1"}}, film("never.mp4"))
    box.jobs.cancel(failed.id)
    movable_clock.move(60)
    box.post({"facebook": {"page": "Page 1"}}, film("b.mp4", "c.mp4"))
    movable_clock.move(60)
    box.post({"facebook": {"page": "Page 2"}}, film("other.mp4"))
    first, second = box.accounts.list()
    shown = box.deliveries.shown_clips
    assert shown([first.id], 10) == ["sea/b.mp4", "sea/c.mp4", "sea/a.mp4"]
    assert shown([first.id], 1) == ["sea/b.mp4", "sea/c.mp4"]
    assert shown([second.id, first.id], 1) == ["sea/other.mp4", "sea/b.mp4", "sea/c.mp4"]
    assert shown([], 10) == []


@every_database
def test_what_was_sent_in_a_day_counts_and_what_came_to_nothing_does_not(
    box: Outbox, movable_clock: MovableClock
) -> None:
    since = movable_clock()
    posted(box)
    box.turns()
    movable_clock.move(60)
    refused = Reply(400, {"error": {"code": 100, "message": "no"}})
    box.far.script = lambda asked: refused if asked.params.get("upload_phase") == "finish" else None
    posted(box)
    box.turns()
    (first, _) = box.accounts.list()
    assert box.deliveries.sent_since(first.id, since) == [since]
    assert box.deliveries.sent_since(first.id, since + timedelta(seconds=1)) == []


@every_database
def test_two_pages_of_an_account_that_is_connected_twice(box: Outbox) -> None:
    before = box.accounts.list()
    box.connect("EAAagain" + "3" * 40)
    after = box.accounts.list()
    assert [one.id for one in before] == [one.id for one in after]
