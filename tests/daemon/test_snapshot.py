"""Databases that come back from a backup: what may have been published since, nobody publishes unasked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.deliveries.life import State
from daemon.store import snapshot
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import Outbox, outbox


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


def test_what_was_due_asks_somebody_and_what_is_not_goes_out(box: Outbox, movable_clock: MovableClock) -> None:
    at = (movable_clock() + timedelta(hours=3)).isoformat()
    later = box.post({"facebook": {"at": at}})
    due, unmade = box.post(), box.ask()
    assert snapshot.doubt(box.database, movable_clock()) == 2
    box.turns()
    assert (box.states(due), box.states(unmade), box.states(later)) == ([State.UNKNOWN], [State.WAITING], [State.READY])
    box.make(unmade)
    box.turns()
    assert box.states(unmade) == [State.UNKNOWN]
    assert box.far.posts == []
    for job, state in ((due, State.DONE), (unmade, State.READY)):
        (delivery,) = box.jobs.get(job.id).deliveries
        assert delivery.error is not None
        assert delivery.error.code == "restored"
        box.deliveries.resolve(delivery.id, None, state)
    movable_clock.move(4 * 3600)
    box.turns()
    assert [box.states(job) for job in (due, unmade, later)] == [[State.DONE]] * 3
    assert len(box.far.posts) == 2
