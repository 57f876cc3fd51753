from __future__ import annotations

import pytest

from daemon.errors import RepeatMismatch, TooManyRequests
from daemon.jobs import Limits, Repeat
from daemon.store.database import Database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore, Submitted
from daemon.store.keys import KeyStore
from daemon.store.tables import RepeatRow
from daemon.store.views import JobViews
from tests.daemon.conftest import MovableClock, every_database, new_job

HOUR_S = 3600
ONE = Repeat("one", "a" * 64)


@every_database
class TestRepeat:
    def test_the_same_request_is_the_same_job(self, vix_database: Database, job_store: JobStore) -> None:
        first = job_store.submit(new_job(), repeat=ONE)
        assert (first.repeated, first.answer) == (False, None)
        assert job_store.submit(new_job(), repeat=ONE) == Submitted(first.job, True, None)
        assert JobViews(vix_database).waiting() == 1
        assert [event.type for event in EventStore(vix_database).after(first.job.id)] == ["job.queued"]

    def test_it_gets_the_first_answer_but_the_job_as_it_is_now(self, job_store: JobStore) -> None:
        first = job_store.submit(new_job(), repeat=ONE)
        job_store.remember_answer("key1", "one", {"place": 1, "odd": "\ud800\x00😀"})
        job_store.remember_answer("key1", "one", {"place": 2})
        job_store.claim("me")
        again = job_store.submit(new_job(), repeat=ONE)
        assert (again.repeated, again.answer) == (True, {"place": 1, "odd": "\ud800\x00😀"})
        assert again.job == job_store.get(first.job.id)

    def test_another_request_may_not_take_the_word(self, vix_database: Database, job_store: JobStore) -> None:
        job_store.submit(new_job(), repeat=ONE)
        with pytest.raises(RepeatMismatch):
            job_store.submit(new_job(), repeat=Repeat("one", "b" * 64))
        assert JobViews(vix_database).waiting() == 1

    @pytest.mark.parametrize("word", ["One", "one.", "ONE", "o" * 255])
    def test_another_word_is_another_request(self, vix_database: Database, job_store: JobStore, word: str) -> None:
        job_store.submit(new_job(), repeat=ONE)
        assert not job_store.submit(new_job(), repeat=Repeat(word, ONE.body_hash)).repeated
        assert JobViews(vix_database).waiting() == 2

    def test_another_key_has_its_own_words(self, job_store: JobStore) -> None:
        first = job_store.submit(new_job(key_id="key1"), repeat=ONE)
        other = job_store.submit(new_job(key_id="key2"), repeat=Repeat("one", "b" * 64))
        assert (other.repeated, other.job.id == first.job.id) == (False, False)
        job_store.remember_answer("key2", "one", {"of": "key2"})
        assert job_store.submit(new_job(key_id="key1"), repeat=ONE).answer is None

    def test_it_counts_for_a_day(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        first = job_store.submit(new_job(), repeat=ONE)
        job_store.remember_answer("key1", "one", {"place": 1})
        movable_clock.move(24 * HOUR_S - 1)
        assert job_store.submit(new_job(), repeat=ONE).job == first.job
        movable_clock.move(1)
        later = job_store.submit(new_job(), repeat=Repeat("one", "b" * 64))
        assert (later.repeated, later.answer, later.job.id == first.job.id) == (False, None, False)
        assert job_store.submit(new_job(), repeat=Repeat("one", "b" * 64)).job == later.job

    def test_a_clock_that_goes_back_makes_no_second_job(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        first = job_store.submit(new_job(), repeat=ONE)
        movable_clock.move(-400 * 24 * HOUR_S)
        assert job_store.submit(new_job(), repeat=ONE) == Submitted(first.job, True)

    def test_repeating_costs_nothing(self, vix_database: Database, job_store: JobStore) -> None:
        key_id = KeyStore(vix_database, b"pepper").create("a key")[0].id
        limits = Limits(per_minute=1, per_day=1, waiting=1)
        for _ in range(3):
            job_store.submit(new_job(key_id=key_id), limits=limits, repeat=ONE)
        with pytest.raises(TooManyRequests):
            job_store.submit(new_job(key_id=key_id), limits=limits, repeat=Repeat("two", "a" * 64))

    def test_what_was_refused_may_come_again(self, job_store: JobStore) -> None:
        limits = Limits(waiting=1)
        job = job_store.submit(new_job(), limits=limits).job
        with pytest.raises(TooManyRequests):
            job_store.submit(new_job(), limits=limits, repeat=ONE)
        job_store.cancel(job.id)
        assert not job_store.submit(new_job(), limits=limits, repeat=ONE).repeated

    def test_a_word_whose_job_is_gone_is_free(self, vix_database: Database, job_store: JobStore) -> None:
        with vix_database.write() as connection:
            row = {"key_id": "key1", "word": "one", "body_hash": "c" * 64, "job_id": "job_gone", "created_at": now()}
            RepeatRow.insert(row).execute(connection)
        assert not job_store.submit(new_job(), repeat=ONE).repeated
        assert job_store.submit(new_job(), repeat=ONE).repeated


def now() -> object:
    return MovableClock().time
