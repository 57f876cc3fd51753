"""Row 14: the clock is put a day forward and back, or starts in 1970. No job is lost, made twice or out of its turn,
and no key gets more than its share or is shut out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import TooManyRequests
from daemon.estimate import remaining_s
from daemon.jobs import Job, Limits, Repeat
from daemon.store.callbacks import CallbackStore, NewCallback
from daemon.store.database import Database, open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.views import JobViews
from tests.daemon.conftest import MovableClock, new_job

DAY_S = 86_400
TO_1970_S = -(MovableClock().time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
JUMPS_S = (0.0, 3600.0, -3600.0, DAY_S, -DAY_S, TO_1970_S, -TO_1970_S)
jumps = st.lists(st.sampled_from(JUMPS_S), min_size=6, max_size=6)


@contextmanager
def fresh_database() -> Iterator[Database]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_database(Path(folder) / "vix.db")) as database,
    ):
        yield database


def claimed(store: JobStore) -> Job:
    job = store.claim("seat.1-ab")
    assert job
    return job


class Clock(MovableClock):
    """A clock that is put back to 1970 at the earliest."""

    def move(self, seconds: float) -> None:
        self.time = max(self.time, datetime(1970, 1, 1, tzinfo=UTC))
        super().move(max(seconds, -self.time.timestamp()))


@settings(max_examples=25, deadline=None)
@given(jumps)
def test_every_job_is_made_once_and_in_its_turn(jumps_s: list[float]) -> None:
    clock = Clock()

    def announce(job: Job) -> list[NewCallback]:
        return [NewCallback(job.id, job.key_id, f"job.{job.status}", "http://a/", {}, "{}", clock(), clock())]

    with fresh_database() as database:
        store, views = JobStore(database, clock, announce), JobViews(database, clock)
        came = []
        for jump_s in jumps_s[:3]:
            came.append(store.submit(new_job()).job.id)
            clock.move(jump_s)
        made = []
        for jump_s in jumps_s[3:]:
            job = claimed(store)
            clock.move(jump_s)
            assert store.holds(job.claim)
            assert store.report(job.claim, stage="render", progress=50)
            rest = remaining_s(store.get(job.id), views.line(job), views.speeds())
            assert rest is not None
            assert rest >= 0
            assert store.release(["somebody else"]).put_back == ()
            assert store.finish(job.claim, {})
            ended = store.get(job.id)
            assert ended.started_at
            assert ended.finished_at
            assert min(ended.started_at, ended.finished_at) >= ended.created_at
            made.append(job.id)
        assert made == came
        assert store.claim("seat.1-ab") is None
        assert views.oldest_waiting_at() is None
        for job_id in came:
            types = [event.type for event in EventStore(database).after(job_id)]
            assert types == ["job.queued", "job.started", "job.stage", "job.done"]
            assert len(CallbackStore(database, clock).of_job(job_id, "key1")) == 1


@settings(max_examples=25, deadline=None)
@given(jumps)
def test_a_repeated_request_is_one_job_unless_a_day_has_passed(jumps_s: list[float]) -> None:
    clock = Clock()
    with fresh_database() as database:
        store = JobStore(database, clock)
        job, at = store.submit(new_job(), repeat=Repeat("a", "a" * 64)).job, clock()
        for jump_s in jumps_s:
            clock.move(jump_s)
            again = store.submit(new_job(), repeat=Repeat("a", "a" * 64))
            assert again.repeated == ((clock() - at).total_seconds() < DAY_S)
            assert (again.job.id == job.id) == again.repeated
            if not again.repeated:
                job, at = again.job, clock()


@settings(max_examples=25, deadline=None)
@given(jumps)
def test_limits_let_pass_what_they_shall_and_open_again(jumps_s: list[float]) -> None:
    clock, limits = Clock(), Limits(per_minute=3, per_day=8)
    with fresh_database() as database:
        store = JobStore(database, clock)
        key_id = KeyStore(database, b"pepper", clock=clock).create("a key")[0].id

        def submit_all() -> int:
            for count in range(20):
                try:
                    store.submit(new_job(key_id=key_id), limits=limits)
                except TooManyRequests:
                    return count
            return 20

        assert submit_all() == 3
        for jump_s in jumps_s:
            clock.move(jump_s)
            assert submit_all() <= (3 if jump_s > 0 else 0)  # back or not at all: nothing has run in meanwhile
        clock.move(2 * DAY_S)
        assert submit_all() == 3
