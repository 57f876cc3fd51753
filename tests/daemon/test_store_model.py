"""The jobs table against a model of it: any order of submits, claims, ends, crashes and late writes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
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
    rule,
    run_state_machine_as_test,
)

from daemon.jobs import Claim, Failure, Status
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import MovableClock, new_job

MAX_ATTEMPTS = 3


@dataclass
class Known:
    """What the model knows of a job."""

    id: str
    status: Status = Status.IN_QUEUE
    attempt: int = 0
    tries: int = 0
    claim: Claim | None = None
    progress: int = 0


class Jobs(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = MovableClock()
        self.database = open_database(self.folder / "vix.db")
        self.store = JobStore(self.database, self.clock)
        self.known: list[Known] = []
        self.workers = 0

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def holder(self, claim: Claim) -> Known | None:
        return next((job for job in self.known if job.claim == claim), None)

    @rule(film_s=st.floats(1, 600))
    def submit(self, film_s: float) -> None:
        self.known.append(Known(self.store.submit(new_job(film_s=film_s)).id))

    @rule(target=claims, owner=st.sampled_from(["a", "b"]))
    def claim(self, owner: str) -> object:
        job = self.store.claim(owner)
        expected = next((job for job in self.known if job.status is Status.IN_QUEUE), None)
        assert (job and job.id) == (expected and expected.id)
        if job is None or expected is None:
            return multiple()
        expected.status, expected.attempt, expected.tries = Status.RENDERING, expected.attempt + 1, expected.tries + 1
        expected.claim = job.claim
        assert job.attempt == expected.attempt
        return job.claim

    @rule(claim=claims, progress=st.integers(-5, 105))
    def report(self, claim: Claim, progress: int) -> None:
        holder = self.holder(claim)
        assert self.store.report(claim, stage="render", progress=progress) == (holder is not None)
        if holder:
            holder.progress = min(max(progress, 0), 100)

    @rule(claim=st.one_of(claims, consumes(claims)))
    def finish(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.finish(claim, {"attempt": claim.attempt}) == (holder is not None)
        if holder:
            holder.status, holder.claim, holder.progress = Status.DONE, None, 100

    @rule(claim=st.one_of(claims, consumes(claims)))
    def fail(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.fail(claim, Failure("a", "b", False)) == (holder is not None)
        if holder:
            holder.status, holder.claim = Status.FAILED, None

    @rule(claim=claims)
    def put_back(self, claim: Claim) -> None:
        holder = self.holder(claim)
        assert self.store.put_back(claim) == (holder is not None)
        if holder:
            holder.status, holder.claim, holder.progress, holder.tries = Status.IN_QUEUE, None, 0, holder.tries - 1

    @rule()
    def crash_and_start_again(self) -> None:
        self.database.close()
        self.database = open_database(self.folder / "vix.db")
        self.store = JobStore(self.database, self.clock)
        orphans = [job for job in self.known if job.status is Status.RENDERING]
        failed = [job for job in orphans if job.tries >= MAX_ATTEMPTS]
        found = self.store.reconcile(MAX_ATTEMPTS)
        assert sorted(found.failed) == sorted(job.id for job in failed)
        assert sorted(found.put_back) == sorted(job.id for job in orphans if job not in failed)
        for job in orphans:
            job.claim = None
            if job in failed:
                job.status = Status.FAILED
            else:
                job.status, job.progress = Status.IN_QUEUE, 0

    @rule(seconds=st.floats(-86_400, 86_400))
    def move_the_clock(self, seconds: float) -> None:
        self.clock.move(seconds)

    @invariant()
    def the_table_is_as_the_model(self) -> None:
        place = 0
        for expected in self.known:
            job = self.store.get(expected.id)
            assert (job.status, job.attempt, job.progress) == (expected.status, expected.attempt, expected.progress)
            assert (job.finished_at is not None) == job.status.is_final
            assert (job.result is not None) == (job.status is Status.DONE)
            assert (job.error is not None) == (job.status is Status.FAILED)
            if job.status is Status.IN_QUEUE:
                place += 1
                assert self.store.line(job).position == place
        assert self.store.waiting() == place


@pytest.mark.parametrize("examples", [40])
def test_the_table_is_as_the_model(examples: int) -> None:
    run_state_machine_as_test(
        Jobs,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
