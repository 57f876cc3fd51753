from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daemon.errors import UnknownJob, WrongState
from daemon.jobs import CallbackTo, Claim, Failure, Job, NewJob, Status
from daemon.store.callbacks import CallbackStore, NewCallback
from daemon.store.database import Database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore, Reconciled
from tests.daemon.conftest import MovableClock, every_database, new_job

pytestmark = every_database

ODD_TEXTS = ["\ud800", "a\x00b", "😀", "' OR 1=1; --", "\n\t\x7f", '"', "\\u0000", "x" * 10_000]


def claimed(store: JobStore, owner: str = "me") -> Job:
    job = store.claim(owner)
    assert job
    return job


class TestSubmit:
    def test_all_of_it_comes_back(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        to = CallbackTo("https://example.org/?token=1", {"X-Any": "thing"})
        new = NewJob(
            kind="template",
            spec={"a": [1, None, 1.5]},
            seed=2**53 - 1,
            key_id="key1",
            film_s=12.5,
            pixels=640 * 360,
            client_data={"any": ["thing"]},
            priority=-3,
            callback=to,
            base_url="https://vix.example.org",
        )
        job = job_store.submit(new).job
        assert job_store.get(job.id) == job
        assert (job.kind, job.spec, job.seed, job.key_id) == (new.kind, new.spec, new.seed, new.key_id)
        assert (job.film_s, job.work, job.client_data) == (12.5, 12.5 * 640 * 360, {"any": ["thing"]})
        assert (job.status, job.stage, job.progress, job.attempt, job.owner) == (Status.IN_QUEUE, "", 0, 0, None)
        assert (job.priority, job.callback, job.base_url) == (-3, to, "https://vix.example.org")
        assert (job.error, job.result, job.warnings, job.film) == (None, None, (), None)
        assert (job.created_at, job.started_at, job.finished_at) == (movable_clock.time, None, None)

    def test_odd_texts_come_back(self, job_store: JobStore) -> None:
        for text in ODD_TEXTS:
            job = job_store.submit(NewJob("template", {text: text}, 1, "key1", 1, client_data=text)).job
            claim = claimed(job_store).claim
            assert job_store.fail(claim, Failure("odd", text, permanent=True))
            found = job_store.get(job.id)
            assert (found.spec, found.client_data) == ({text: text}, text)
            assert found.error == Failure("odd", text, True)

    def test_client_data_is_any_json(self, job_store: JobStore) -> None:
        values: tuple[Any, ...] = (None, False, 0, "", [], {}, 10**400, 1e300)
        for client_data in values:
            job = job_store.submit(replace(new_job(), client_data=client_data)).job
            assert job_store.get(job.id).client_data == client_data


class TestGet:
    def test_a_job_that_is_not_there(self, job_store: JobStore) -> None:
        with pytest.raises(UnknownJob):
            job_store.get("job_" + "a" * 20)

    def test_somebody_elses_job_is_like_none(self, job_store: JobStore) -> None:
        job = job_store.submit(new_job(key_id="key1")).job
        assert job_store.get(job.id, "key1") == job
        answers = set()
        for job_id in (job.id, "job_" + "a" * 20):
            with pytest.raises(UnknownJob) as caught:
                job_store.get(job_id, "key2")
            answers.add(str(caught.value))
        assert len(answers) == 1


class TestClaim:
    def test_the_oldest_comes_first_and_the_attempt_counts(
        self, job_store: JobStore, movable_clock: MovableClock
    ) -> None:
        first, second = job_store.submit(new_job()).job, job_store.submit(new_job()).job
        movable_clock.move(5)
        job = claimed(job_store)
        assert (job.id, job.attempt, job.owner, job.status) == (first.id, 1, "me", Status.RENDERING)
        assert job.started_at == movable_clock.time
        assert job_store.get(first.id) == job
        assert claimed(job_store).id == second.id
        assert job_store.claim("me") is None

    def test_a_certain_one_may_be_taken_out_of_its_turn(self, job_store: JobStore) -> None:
        first, second, third = (job_store.submit(new_job(film_s=film_s)).job for film_s in (1, 2, 3))
        assert job_store.upcoming(2) == [(first.id, first.work), (second.id, second.work)]
        job = job_store.claim("a", second.id)
        assert job
        assert (job.id, job.attempt) == (second.id, 1)
        assert job_store.claim("b", second.id) is None
        assert job_store.claim("b", "job_unknown") is None
        assert [job_id for job_id, _ in job_store.upcoming(9)] == [first.id, third.id]

    def test_a_clock_set_back_does_not_change_the_order(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        first = job_store.submit(new_job()).job
        movable_clock.move(-86400)
        job_store.submit(new_job())
        assert claimed(job_store).id == first.id

    def test_priority_comes_before_age(self, job_store: JobStore) -> None:
        names = ((0, "c"), (-10, "e"), (10, "a"), (0, "d"), (1, "b"))
        for priority, name in names:
            job_store.submit(replace(new_job(name), priority=priority))
        assert [job.spec["name"] for job in iter(lambda: job_store.claim("me"), None)] == ["a", "b", "c", "d", "e"]


class TestFence:
    """Every word and write of a worker holds only while the job still carries its claim."""

    ENDS: ClassVar[dict[str, Any]] = {
        "finish": lambda store, claim: store.finish(claim, {"a": 1}),
        "fail": lambda store, claim: store.fail(claim, Failure("a", "b", False)),
    }
    WAYS_BACK: ClassVar[dict[str, Any]] = {
        "put back": lambda store, claim: store.put_back(claim),
        "try again": lambda store, claim: store.try_again(claim, Failure("a", "b", False)),
    }
    WRITES: ClassVar[dict[str, Any]] = {
        "hold": lambda store, claim: store.holds(claim),
        "report": lambda store, claim: store.report(claim, stage="render", progress=50),
        **ENDS,
        **WAYS_BACK,
    }
    WRONG: tuple[Any, ...] = (
        lambda claim: Claim(claim.job_id, claim.attempt + 1, claim.owner),
        lambda claim: Claim(claim.job_id, claim.attempt - 1, claim.owner),
        lambda claim: Claim(claim.job_id, claim.attempt, "somebody else"),
        lambda claim: Claim("job_of_nobody", claim.attempt, claim.owner),
    )

    def test_the_right_claim_writes(self, job_store: JobStore) -> None:
        for name, write in self.WRITES.items():
            job = job_store.submit(replace(new_job(), priority=1)).job
            claim = claimed(job_store).claim
            assert claim.job_id == job.id
            assert write(job_store, claim) is True, name
            if not job_store.get(job.id).status.is_final:
                job_store.cancel(job.id)

    def test_another_claim_writes_nothing(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        for name, write in self.WRITES.items():
            for number, wrong in enumerate(self.WRONG):
                assert write(job_store, wrong(job.claim)) is False, (name, number)
        assert job_store.get(job.id) == job

    @pytest.mark.parametrize("end", ENDS)
    def test_nothing_is_written_after_the_end(self, job_store: JobStore, end: str) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        assert self.ENDS[end](job_store, job.claim)
        before = job_store.get(job.id)
        for name, write in self.WRITES.items():
            assert write(job_store, job.claim) is False, name
        assert job_store.release(["me"]) == job_store.release_seat("me") == Reconciled((), ())
        assert job_store.get(job.id) == before

    @pytest.mark.parametrize("way", WAYS_BACK)
    def test_a_claim_put_back_does_not_come_alive_again(self, job_store: JobStore, way: str) -> None:
        job_store.submit(new_job())
        old = claimed(job_store).claim
        assert self.WAYS_BACK[way](job_store, old)
        waiting = job_store.get(old.job_id)
        for name, write in self.WRITES.items():
            assert write(job_store, old) is False, name
        assert job_store.get(old.job_id) == waiting
        again = claimed(job_store, old.owner)  # the same worker, even
        for name, write in self.WRITES.items():
            assert write(job_store, old) is False, name
        assert job_store.get(again.id) == again


class TestEnds:
    def test_progress_is_shown_and_kept_in_bounds(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        for told, shown in ((0, 0), (50, 50), (120, 100), (-3, 0)):
            assert job_store.report(job.claim, stage="render", progress=told)
            found = job_store.get(job.id)
            assert (found.stage, found.progress, found.status) == ("render", shown, Status.RENDERING)

    def test_done(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        movable_clock.move(9)
        assert job_store.finish(job.claim, {"sha256": "ab"}, ("one", "two"), film=job.stem)
        found = job_store.get(job.id)
        assert (found.status, found.progress, found.stage) == (Status.DONE, 100, "")
        assert (found.result, found.warnings, found.error) == ({"sha256": "ab"}, ("one", "two"), None)
        assert found.film == f"{job.id}.1"
        assert found.finished_at == movable_clock.time

    def test_failed(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        failure = Failure("bad_media", "clip.mp4 is broken", permanent=True)
        assert job_store.fail(job.claim, failure)
        found = job_store.get(job.id)
        assert (found.status, found.error, found.result) == (Status.FAILED, failure, None)
        assert found.finished_at == movable_clock.time

    def test_put_back_keeps_its_place_and_its_tries(self, job_store: JobStore) -> None:
        first, _ = job_store.submit(new_job()).job, job_store.submit(new_job()).job
        for _ in range(5):
            job = claimed(job_store)
            assert job.id == first.id
            job_store.report(job.claim, stage="render", progress=40)
            assert job_store.put_back(job.claim)
            waiting = job_store.get(first.id)
            assert (waiting.status, waiting.progress, waiting.stage) == (Status.IN_QUEUE, 0, "")
        claimed(job_store)
        assert job_store.release(["me"], max_attempts=3).put_back == (first.id,)

    def test_a_result_that_is_no_json_changes_nothing(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        with pytest.raises(TypeError):
            job_store.finish(job.claim, {"path": Path("a")})
        assert job_store.get(job.id) == job


class TestCancel:
    def test_a_waiting_job(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job = job_store.submit(new_job()).job
        movable_clock.move(4)
        cancelled = job_store.cancel(job.id)
        assert cancelled == job_store.get(job.id)
        assert (cancelled.status, cancelled.finished_at, cancelled.error) == (
            Status.CANCELLED,
            movable_clock.time,
            None,
        )
        assert job_store.claim("me") is None

    def test_a_running_job_loses_its_claim(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        job_store.report(job.claim, stage="render", progress=40)
        assert job_store.holds(job.claim)
        cancelled = job_store.cancel(job.id)
        assert (cancelled.status, cancelled.stage, cancelled.progress) == (Status.CANCELLED, "", 40)
        assert not job_store.holds(job.claim)
        assert not job_store.finish(job.claim, {})
        assert job_store.owners_at_work() == set()
        assert job_store.get(job.id) == cancelled

    def test_twice_is_once(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job = job_store.submit(new_job()).job
        first = job_store.cancel(job.id)
        movable_clock.move(5)
        assert job_store.cancel(job.id) == first

    @pytest.mark.parametrize("end", TestFence.ENDS)
    def test_what_has_ended_stays(self, job_store: JobStore, end: str) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        assert TestFence.ENDS[end](job_store, job.claim)
        ended = job_store.get(job.id)
        with pytest.raises(WrongState) as caught:
            job_store.cancel(job.id)
        assert caught.value.status == ended.status
        assert job_store.get(job.id) == ended

    @pytest.mark.parametrize("change", [JobStore.cancel, JobStore.retry])
    def test_somebody_elses_job_is_like_none(self, job_store: JobStore, change: Any) -> None:
        job = job_store.submit(new_job(key_id="key1")).job
        for job_id in (job.id, "job_" + "a" * 20):
            with pytest.raises(UnknownJob):
                change(job_store, job_id, "key2")
        assert job_store.get(job.id) == job


class TestTryAgain:
    def test_until_its_tries_are_spent(self, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
        failure = Failure("out_of_memory", "It was too large.", permanent=False)
        for number in (1, 2, 3):
            assert claimed(job_store).attempt == number
            assert job_store.try_again(job_store.get(job.id).claim, failure, max_attempts=3)
        ended = job_store.get(job.id)
        assert (ended.status, ended.error, ended.attempt) == (Status.FAILED, failure, 3)


class TestRetry:
    def test_a_failed_job_waits_again(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        job_store.fail(job.claim, Failure("a", "b", True))
        waiting = job_store.retry(job.id, "key1")
        assert waiting == job_store.get(job.id)
        assert (waiting.status, waiting.error, waiting.finished_at) == (Status.IN_QUEUE, None, None)
        again = claimed(job_store)
        assert (again.id, again.attempt, again.stem) == (job.id, 2, f"{job.id}.2")
        assert job_store.finish(again.claim, {})

    def test_it_has_all_its_tries_again(self, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
        for _ in range(3):
            claimed(job_store)
            last = job_store.release(["me"], max_attempts=3)
        assert last.failed == (job.id,)
        job_store.retry(job.id)
        for number in range(3):
            assert claimed(job_store).attempt == 4 + number
            found = job_store.release(["me"], max_attempts=3)
            assert found.failed == ((job.id,) if number == 2 else ())

    def test_only_a_failed_one(self, job_store: JobStore) -> None:
        job = job_store.submit(new_job()).job
        changes: list[Callable[[], object]] = [
            lambda: claimed(job_store),
            lambda: job_store.cancel(job.id),
            lambda: None,
        ]
        for change in changes:
            with pytest.raises(WrongState) as caught:
                job_store.retry(job.id)
            assert caught.value.status == job_store.get(job.id).status
            change()


class TestRelease:
    def test_orphans_of_a_seat_go_back_to_their_places(self, job_store: JobStore) -> None:
        first, second, third = (job_store.submit(new_job()).job for _ in range(3))
        done = claimed(job_store, "seat1.8-ab")
        assert done.id == first.id
        job_store.finish(done.claim, {})
        orphan, living = claimed(job_store, "seat1.9-cd"), claimed(job_store, "seat11.7-ef")
        assert job_store.owners_at_work() == {"seat1.9-cd", "seat11.7-ef"}
        found = job_store.release_seat("seat1")
        assert (found.put_back, found.failed) == ((second.id,), ())
        assert job_store.get(first.id).status is Status.DONE
        assert (living.id, job_store.holds(living.claim)) == (third.id, True)
        waiting = job_store.get(second.id)
        assert (waiting.status, waiting.owner, waiting.attempt) == (Status.IN_QUEUE, None, 1)
        assert job_store.finish(orphan.claim, {}) is False
        assert job_store.release_seat("seat1").put_back == ()

    @pytest.mark.parametrize("owners", [[], ["nobody"]])
    def test_only_of_those_who_are_named(self, job_store: JobStore, owners: list[str]) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        found = job_store.release(owners)
        assert (found.put_back, found.failed) == ((), ())
        assert job_store.holds(job.claim)

    def test_what_kills_its_worker_is_given_up(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        poison, next_one = job_store.submit(new_job()).job, job_store.submit(new_job()).job
        started = movable_clock.time
        for attempt in (1, 2):
            assert claimed(job_store).attempt == attempt
            assert job_store.release(["me"]).put_back == (poison.id,)
            movable_clock.move(60)
        assert claimed(job_store).started_at == started
        found = job_store.release(["me"])
        assert (found.put_back, found.failed) == ((), (poison.id,))
        job = job_store.get(poison.id)
        assert job.error
        assert (job.status, job.error.code, job.error.permanent) == (Status.FAILED, "worker_died", False)
        assert job.finished_at == movable_clock.time
        assert claimed(job_store).id == next_one.id


class TestCallbacks:
    """The callbacks about an end are in the outbox exactly when the end is in the table."""

    def ended(self, store: JobStore, how: str) -> Job:
        job = store.submit(new_job()).job
        if how == "cancelled waiting":
            return store.cancel(job.id)
        claim = claimed(store).claim
        if how == "done":
            store.finish(claim, {"a": 1}, film="stem")
        elif how == "failed":
            store.fail(claim, Failure("a", "b", False))
        elif how == "given up":
            store.release(["me"], max_attempts=1)
        else:
            store.cancel(job.id)
        return store.get(job.id)

    @pytest.mark.parametrize("how", ["done", "failed", "given up", "cancelled", "cancelled waiting"])
    def test_every_end_is_announced_once_and_as_it_is(
        self, vix_database: Database, movable_clock: MovableClock, how: str
    ) -> None:
        told: list[Job] = []

        def announce(job: Job) -> list[NewCallback]:
            told.append(job)
            now = movable_clock.time
            return [NewCallback(job.id, job.key_id, f"job.{job.status}", "http://a/", {}, "{}", now, now)]

        job = self.ended(JobStore(vix_database, movable_clock, announce), how)
        assert told == [job]
        ((callback, tries),) = CallbackStore(vix_database, movable_clock).of_job(job.id, "key1")
        assert (callback.type, tries) == (f"job.{job.status}", [])

    @pytest.mark.parametrize("how", ["done", "failed", "given up", "cancelled", "cancelled waiting"])
    def test_no_end_without_them(self, vix_database: Database, movable_clock: MovableClock, how: str) -> None:
        def announce(job: Job) -> list[NewCallback]:
            raise LookupError(job.id)

        store = JobStore(vix_database, movable_clock, announce)
        with pytest.raises(LookupError) as caught:
            self.ended(store, how)
        assert not store.get(caught.value.args[0]).status.is_final
        types = [event.type for event in EventStore(vix_database).after(caught.value.args[0])]
        assert set(types) <= {"job.queued", "job.started"}
