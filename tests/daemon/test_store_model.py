"""The jobs table against a model of it: any order of submits, claims, ends, crashes, late writes, and people who
cancel, try again and repeat themselves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.errors import WrongState
from daemon.jobs import Claim, Failure, Job, Repeat, Status
from daemon.store.callbacks import NewCallback
from daemon.store.database import open_database
from daemon.store.jobs import JobStore, Reconciled
from daemon.store.tables import CallbackRow, EventRow
from daemon.store.views import JobViews
from tests.daemon.conftest import MovableClock, new_job

MAX_ATTEMPTS = 3


@dataclass
class Known:
    """What the model knows of a job."""

    id: str
    priority: int = 0
    status: Status = Status.IN_QUEUE
    attempt: int = 0
    tries: int = 0
    claim: Claim | None = None
    progress: int = 0
    events: list[str] = field(default_factory=lambda: ["job.queued"])


class Jobs(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = MovableClock()
        self.database = open_database(self.folder / "vix.db")
        self.known: list[Known] = []
        self.words: dict[str, tuple[str, datetime]] = {}
        self.told: list[tuple[str, Status]] = []
        self.open_stores()

    def open_stores(self) -> None:
        self.store = JobStore(self.database, self.clock, self.announce)
        self.views = JobViews(self.database, self.clock)

    def announce(self, job: Job) -> Sequence[NewCallback]:
        now = self.clock()
        return [NewCallback(job.id, job.key_id, f"job.{job.status}", "http://a/", {}, "{}", now, now)]

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def holder(self, claim: Claim) -> Known | None:
        return next((job for job in self.known if job.claim == claim), None)

    def ended(self, job: Known, status: Status) -> None:
        job.status, job.claim = status, None
        job.events.append(f"job.{status}")
        self.told.append((job.id, status))

    def first_in_line(self) -> list[Known]:
        waiting = [job for job in self.known if job.status is Status.IN_QUEUE]
        return sorted(waiting, key=lambda job: -job.priority)  # the sort is stable: within a priority by age

    @rule(film_s=st.floats(1, 600), priority=st.integers(-1, 1))
    def submit(self, film_s: float, priority: int) -> None:
        new = replace(new_job(film_s=film_s), priority=priority)
        self.known.append(Known(self.store.submit(new).job.id, priority))

    @rule(word=st.sampled_from(["one", "two"]))
    def submit_with_a_word(self, word: str) -> None:
        submitted = self.store.submit(new_job(), repeat=Repeat(word, "a" * 64))
        job_id, at = self.words.get(word, ("", datetime.min.replace(tzinfo=UTC)))
        assert submitted.repeated == (at > self.clock() - timedelta(hours=24))
        if submitted.repeated:
            assert submitted.job.id == job_id
        else:
            self.words[word] = submitted.job.id, self.clock()
            self.known.append(Known(submitted.job.id))

    @rule(target=claims, owner=st.sampled_from(["a.1", "a.2", "b.1"]))
    def claim(self, owner: str) -> object:
        job = self.store.claim(owner)
        expected = next(iter(self.first_in_line()), None)
        assert (job and job.id) == (expected and expected.id)
        if job is None or expected is None:
            return multiple()
        expected.status, expected.attempt, expected.tries = Status.RENDERING, expected.attempt + 1, expected.tries + 1
        expected.claim = job.claim
        expected.events.append("job.started")
        assert job.attempt == expected.attempt
        return job.claim

    @rule(claim=claims, progress=st.integers(-5, 105))
    def report(self, claim: Claim, progress: int) -> None:
        holder = self.holder(claim)
        assert self.store.report(claim, stage="render", progress=progress) == (holder is not None)
        assert self.store.holds(claim) == (holder is not None)
        if holder:
            holder.progress = min(max(progress, 0), 100)
            if holder.events[-1] != "job.stage":
                holder.events.append("job.stage")

    @rule(claim=st.one_of(claims, consumes(claims)))
    def finish(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.finish(claim, {"attempt": claim.attempt}) == (holder is not None)
        if holder:
            holder.progress = 100
            self.ended(holder, Status.DONE)

    @rule(claim=st.one_of(claims, consumes(claims)))
    def fail(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.fail(claim, Failure("a", "b", False)) == (holder is not None)
        if holder:
            self.ended(holder, Status.FAILED)

    @rule(claim=claims)
    def put_back(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.put_back(claim) == (holder is not None)
        if holder:
            holder.tries -= 1
            self.queued(holder, "job.put_back")

    def queued(self, job: Known, why: str) -> None:
        job.status, job.claim, job.progress = Status.IN_QUEUE, None, 0
        job.events.append(why)

    @rule(claim=claims)
    def try_again(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.try_again(claim, Failure("a", "b", False), MAX_ATTEMPTS) == (holder is not None)
        if holder and holder.tries >= MAX_ATTEMPTS:
            self.ended(holder, Status.FAILED)
        elif holder:
            self.queued(holder, "job.put_back")

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.known))
        if job.status in (Status.DONE, Status.FAILED):
            with pytest.raises(WrongState):
                self.store.cancel(job.id)
            return
        self.store.cancel(job.id, "key1")
        if job.status is not Status.CANCELLED:
            self.ended(job, Status.CANCELLED)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.known))
        if job.status is not Status.FAILED:
            with pytest.raises(WrongState):
                self.store.retry(job.id)
            return
        self.store.retry(job.id, "key1")
        job.tries = 0
        self.queued(job, "job.retried")

    @rule(owner=st.sampled_from(["a.1", "b.1"]))
    def one_worker_dies(self, owner: str) -> None:
        self.released(self.store.release([owner], MAX_ATTEMPTS), lambda claim: claim.owner == owner)

    @rule()
    def crash_and_start_again(self) -> None:
        self.database.close()
        self.database = open_database(self.folder / "vix.db")
        self.open_stores()
        self.released(self.store.release_seat("a", MAX_ATTEMPTS), lambda claim: claim.owner.startswith("a."))

    def released(self, found: Reconciled, is_theirs: Callable[[Claim], bool]) -> None:
        orphans = [job for job in self.known if job.claim and is_theirs(job.claim)]
        failed = [job for job in orphans if job.tries >= MAX_ATTEMPTS]
        assert sorted(found.failed) == sorted(job.id for job in failed)
        assert sorted(found.put_back) == sorted(job.id for job in orphans if job not in failed)
        for job in orphans:
            if job in failed:
                self.ended(job, Status.FAILED)
            else:
                self.queued(job, "job.put_back")

    @rule(seconds=st.floats(-86_400, 86_400))
    def move_the_clock(self, seconds: float) -> None:
        self.clock.move(seconds)

    @invariant()
    def the_table_is_as_the_model(self) -> None:
        jobs = self.views.page("key1", limit=1000).jobs
        assert [job.id for job in jobs] == [job.id for job in reversed(self.known)]
        for expected, job in zip(reversed(self.known), jobs, strict=True):
            assert (job.status, job.attempt, job.progress) == (expected.status, expected.attempt, expected.progress)
            assert (job.owner if expected.claim else None) == (expected.claim and expected.claim.owner)
            assert (job.finished_at is not None) == job.status.is_final
            assert (job.result is not None) == (job.status is Status.DONE)
            assert (job.error is not None) == (job.status is Status.FAILED)
        line = [job.id for job in self.first_in_line()]
        assert self.views.waiting() == len(line)
        for job_id in {*line[:1], *line[-1:]}:
            assert self.views.line(self.store.get(job_id)).position == line.index(job_id) + 1
        assert self.store.owners_at_work() == {job.claim.owner for job in self.known if job.claim}

    @invariant()
    def what_is_told_is_what_happened(self) -> None:
        with self.database.read() as connection:
            events = list(EventRow.select(EventRow.job_id, EventRow.type).order_by(EventRow.seq).execute(connection))
            callbacks = list(CallbackRow.select(CallbackRow.job_id, CallbackRow.type).execute(connection))
        for job in self.known:
            assert [event.type for event in events if event.job_id == job.id] == job.events
        told = sorted((job_id, f"job.{status}") for job_id, status in self.told)
        assert sorted((row.job_id, row.type) for row in callbacks) == told


@pytest.mark.parametrize("examples", [30])
def test_the_table_is_as_the_model(examples: int) -> None:
    run_state_machine_as_test(
        Jobs,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
