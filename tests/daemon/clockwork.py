"""A timetable on real tables in a data folder, whose clock stands where a test puts it. Built anew, it is a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.outbound.addresses import Guard
from daemon.publishing import Publishing
from daemon.schedules import Checks, read_schedule
from daemon.sources.library import Library
from daemon.store.accounts import AccountStore
from daemon.store.database import Database, open_database
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.schedules import Schedule, ScheduleStore, Slot
from daemon.timetable import Stores, Timetable
from fonts_cache import FontCache

PEPPER = b"pepper" * 8
SHORT: dict[str, Any] = {"video": {"duration": 1, "style": "waves"}}


@dataclass
class Clockwork:
    """What a test reaches around a timetable. `rung` are job ids, `reports` subjects and sentences."""

    database: Database
    stores: Stores
    clock: Callable[[], datetime]
    timetable: Timetable
    rung: list[str] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)

    def key(self, **terms: Any) -> str:
        return self.stores.keys.create("test", **terms)[0].id

    def add(self, key_id: str, **members: Any) -> Schedule:
        """Store a schedule as the service reads it: every day at nine in UTC, unless said otherwise."""
        data = {"name": "Film", "every": "day", "at": "09:00", "spec": SHORT, **members}
        new = read_schedule(data, self.stores.checks, self.clock(), "http://vix.test")
        return self.stores.schedules.create(new, key_id)

    def again(self, schedule: Schedule) -> Schedule:
        return self.stores.schedules.get(schedule.id)

    def slots(self, schedule: Schedule) -> list[Slot]:
        return list(self.stores.schedules.slots(schedule.id, datetime.fromisoformat("2000-01-01T00:00:00Z")))

    def came(self, schedule: Schedule) -> list[str]:
        """What came of its slots: `05 09:00 ran`."""
        return [f"{slot.at:%d %H:%M} {slot.state}" for slot in self.slots(schedule)]

    def specs(self) -> list[dict[str, Any]]:
        """The requests of the jobs that were made, in their order."""
        return [self.stores.jobs.get(job_id).spec for job_id, _ in self.stores.jobs.upcoming(10_000)]


@contextmanager
def clockwork(data: Path, clock: Callable[[], datetime], young_h: float = 6) -> Iterator[Clockwork]:
    """A timetable on a data folder, made if need be."""
    clip = data / "library" / "styles" / "waves" / "one.mp4"
    clip.parent.mkdir(parents=True, exist_ok=True)
    clip.touch()
    database = open_database(data / "vix.db")
    keys = KeyStore(database, PEPPER, clock=clock)
    publishing = Publishing(AccountStore(database, clock).list, lambda key_id: keys.get(key_id).publish, clock)
    stores = Stores(
        ScheduleStore(database, clock),
        JobStore(database, clock),
        keys,
        Checks(Library(data / "library"), FontCache(data / "fonts", system=()), publishing, Guard().check_url),
    )
    rung: list[str] = []
    reports: list[tuple[str, str]] = []
    timetable = Timetable(
        stores, rung.append, timedelta(hours=young_h), lambda *told: reports.append((told[0], told[1])), clock
    )
    try:
        yield Clockwork(database, stores, clock, timetable, rung, reports)
    finally:
        database.close()
