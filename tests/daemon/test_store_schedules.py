"""The tables of schedules and slots, on every kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.errors import UnknownSchedule
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.schedules import NewSchedule, Overtaken, ScheduleStore, Slot, SlotState
from tests.daemon.conftest import MovableClock, every_database, new_job

DAY = timedelta(days=1)
NEW = NewSchedule("Ü 🎬", "template", ["monday", "friday"], "09:00", "Europe/Berlin", {"a": [1, "é"]}, True, 7, "b")


@every_database
def test_a_schedules_life(vix_database: Database, job_store: JobStore, movable_clock: MovableClock) -> None:
    store, start = ScheduleStore(vix_database, movable_clock), movable_clock()
    one, other = store.create(NEW, "key1"), store.create(replace(NEW, enabled=False), "key2")
    assert NewSchedule(**{name: getattr(one, name) for name in NewSchedule.__dataclass_fields__}) == NEW
    assert (one.turn, one.looked_until, one.created_at) == (0, start, start)
    assert store.get(one.id) == one
    assert [store.list(), store.list("key2"), store.list("key3")] == [[one, other], [other], []]
    assert list(store.enabled()) == [replace(one, spec={})]
    with pytest.raises(UnknownSchedule):
        store.get(one.id, "key2")

    job = job_store.submit(new_job(), also=store.ran(one, start + DAY)).job
    with pytest.raises(Overtaken):
        job_store.submit(new_job(), also=store.ran(one, start + DAY))
    seen = store.get(one.id)
    assert (seen.turn, seen.looked_until) == (1, start + DAY)
    missed = [Slot(start + number * DAY, SlotState.MISSED, message="é") for number in (1, 2, 3)]
    store.did_not_run(seen, missed, start + 3 * DAY)
    ran = Slot(start + DAY, SlotState.RAN, job.id)
    assert list(store.slots(one.id, start)) == [ran, *missed[1:]], "what has run is not missed"
    assert store.last(one.id) == missed[2]
    assert store.last(other.id) is None

    movable_clock.move(60)
    resumed = store.set_enabled(other.id, True)
    assert (resumed.enabled, resumed.looked_until) == (True, movable_clock())
    assert store.set_enabled(other.id, True) == resumed
    changed = store.replace(one.id, replace(NEW, name="b", spec={}), "key1")
    assert (changed.name, changed.spec, changed.turn, changed.looked_until) == ("b", {}, 1, start + 3 * DAY)
    assert store.forget(start + 2 * DAY) == 1
    store.remove(one.id, "key1")
    assert store.list() == [resumed]
    assert list(store.slots(one.id, start)) == []
