from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import TooManyRequests
from daemon.jobs import Failure, Limits, Status
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.quota import Level, take
from daemon.store.views import JobViews
from tests.daemon.conftest import MovableClock, every_database, new_job

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def taken(level: Level, limits: Limits, now: datetime) -> Level:
    level, refusal = take(level, limits, now)
    assert refusal is None
    return level


def refused(level: Level, limits: Limits, now: datetime) -> TooManyRequests:
    _, refusal = take(level, limits, now)
    assert refusal is not None
    return refusal


def how_many(level: Level, limits: Limits, now: datetime) -> int:
    """How many may come at once."""
    for count in range(10_000):
        level, refusal = take(level, limits, now)
        if refusal:
            return count
    return 10_000


class TestMinute:
    @pytest.mark.parametrize("limit", [1, 2, 7, 12, 59, 60, 61, 119, 1000])
    def test_all_of_a_minute_may_come_at_once_and_no_more(self, limit: int) -> None:
        assert how_many(Level(), Limits(per_minute=limit), NOON) == limit

    def test_then_one_after_the_other(self) -> None:
        limits, level, now = Limits(per_minute=12), Level(), NOON
        for _ in range(12):
            level = taken(level, limits, now)
        for _ in range(30):
            refusal = refused(level, limits, now)
            assert refusal.retry_after_s == 5
            refused(level, limits, now + timedelta(seconds=4.9))
            now += timedelta(seconds=refusal.retry_after_s)
            level = taken(level, limits, now)

    def test_a_quiet_minute_fills_it_again_and_a_quiet_hour_no_further(self) -> None:
        limits, level = Limits(per_minute=20), Level()
        for _ in range(20):
            level = taken(level, limits, NOON)
        assert how_many(level, limits, NOON + MINUTE / 2) == 10
        assert how_many(level, limits, NOON + MINUTE) == 20
        assert how_many(level, limits, NOON + 60 * MINUTE) == 20

    @settings(deadline=None)
    @given(st.integers(1, 200), st.lists(st.floats(0, 70), max_size=60))
    def test_no_minute_has_twice_its_number(self, limit: int, pauses_s: list[float]) -> None:
        """Within a minute come at most what the bucket holds and what runs in meanwhile; never two buckets at once."""
        level, now, came = Level(), NOON, deque[datetime]()
        for pause_s in (0.0, *pauses_s):
            now += timedelta(seconds=pause_s)
            for _ in range(limit + 1):
                level, refusal = take(level, Limits(per_minute=limit), now)
                if refusal is None:
                    came.append(now)
            while came[0] <= now - MINUTE:
                came.popleft()
            assert len(came) <= 2 * limit
            assert sum(at == now for at in came) <= limit
            assert sum(at > now - MINUTE / 2 for at in came) <= 1.5 * limit + 1

    def test_no_limit(self) -> None:
        assert how_many(Level(), Limits(), NOON) == 10_000


class TestDay:
    def test_the_count_of_a_day_in_utc(self) -> None:
        limits, level = Limits(per_day=3), Level()
        for _ in range(3):
            level = taken(level, limits, NOON)
        assert refused(level, limits, NOON).retry_after_s == 12 * 3600
        assert refused(level, limits, NOON + DAY / 2 - timedelta(seconds=0.4)).retry_after_s == 1
        assert how_many(level, limits, NOON + DAY / 2) == 3

    def test_what_is_refused_counts_for_nothing(self) -> None:
        limits = Limits(per_minute=2, per_day=3)
        level = taken(taken(Level(), limits, NOON), limits, NOON)
        for _ in range(10):
            level, refusal = take(level, limits, NOON)
            assert refusal is not None
        assert how_many(level, limits, NOON + MINUTE) == 1


class TestClock:
    """A clock that jumps. What is given back by one that goes forward is what that time would have given."""

    limits = Limits(per_minute=6, per_day=10)

    def spent(self, now: datetime) -> Level:
        level = Level()
        for second in (0, 0, 0, 0, 0, 0, 60, 60, 60, 60):
            level = taken(level, self.limits, now + timedelta(seconds=second))
        return level

    @pytest.mark.parametrize("back", [timedelta(seconds=1), MINUTE, DAY / 2, DAY, 365 * DAY, 56 * 365 * DAY])
    def test_back_gives_nothing(self, back: timedelta) -> None:
        assert how_many(self.spent(NOON), self.limits, NOON - back) == 0

    @pytest.mark.parametrize("back", [DAY, 365 * DAY, 56 * 365 * DAY])
    def test_back_blocks_no_longer_than_to_the_end_of_the_next_day(self, back: timedelta) -> None:
        now = NOON - back
        level, refusal = take(self.spent(NOON), self.limits, now)
        assert refusal
        assert refusal.retry_after_s <= 36 * 3600
        assert how_many(level, self.limits, now + timedelta(seconds=refusal.retry_after_s)) == 6

    @pytest.mark.parametrize("back", [timedelta(seconds=1), 10 * MINUTE, DAY, 365 * DAY])
    def test_back_blocks_a_minute_no_longer_than_for_one(self, back: timedelta) -> None:
        limits, level = Limits(per_minute=6), Level()
        for _ in range(6):
            level = taken(level, limits, NOON)
        level, refusal = take(level, limits, NOON - back)
        assert refusal
        assert refusal.retry_after_s <= 10 + 1
        assert how_many(level, limits, NOON - back + MINUTE) == 6

    def test_there_and_back_again_is_two_days_and_no_third(self) -> None:
        level = self.spent(NOON)
        level = taken(level, self.limits, NOON + DAY)
        assert how_many(level, self.limits, NOON + 2 * MINUTE) == 0  # the bucket of a moment ago is not filled again
        left = 0
        for minute in range(3, 60 * 36):
            level, refusal = take(level, self.limits, NOON + minute * MINUTE)
            left += refusal is None
        assert left == 9  # of the day that it had begun in advance


class TestSubmit:
    """The count is part of the transaction that stores the job."""

    pytestmark = every_database

    @pytest.fixture
    def key_id(self, vix_database: Database, movable_clock: MovableClock) -> str:
        return KeyStore(vix_database, b"pepper", clock=movable_clock).create("a key")[0].id

    def test_a_refused_job_is_not_there(
        self, vix_database: Database, job_store: JobStore, key_id: str, movable_clock: MovableClock
    ) -> None:
        for _ in range(3):
            job_store.submit(new_job(key_id=key_id), limits=Limits(per_minute=3))
        with pytest.raises(TooManyRequests, match="3 jobs a minute") as caught:
            job_store.submit(new_job(key_id=key_id), limits=Limits(per_minute=3))
        assert JobViews(vix_database).waiting() == 3
        movable_clock.move(caught.value.retry_after_s)
        job_store.submit(new_job(key_id=key_id), limits=Limits(per_minute=3))

    def test_a_day(self, vix_database: Database, job_store: JobStore, key_id: str, movable_clock: MovableClock) -> None:
        limits = Limits(per_minute=100, per_day=2)
        for _ in range(2):
            job_store.submit(new_job(key_id=key_id), limits=limits)
        with pytest.raises(TooManyRequests, match="2 jobs a day") as caught:
            job_store.submit(new_job(key_id=key_id), limits=limits)
        (key,) = KeyStore(vix_database, b"pepper").list()
        assert (key.day, key.day_count) == ((movable_clock.time - datetime(1970, 1, 1, tzinfo=UTC)).days, 2)
        movable_clock.move(caught.value.retry_after_s)
        job_store.submit(new_job(key_id=key_id), limits=limits)

    def test_keys_do_not_count_for_each_other(
        self, vix_database: Database, job_store: JobStore, key_id: str, movable_clock: MovableClock
    ) -> None:
        other = KeyStore(vix_database, b"pepper", clock=movable_clock).create("another")[0].id
        limits = Limits(1, 1, 1)
        job_store.submit(new_job(key_id=key_id), limits=limits)
        job_store.submit(new_job(key_id=other), limits=limits)
        with pytest.raises(TooManyRequests):
            job_store.submit(new_job(key_id=key_id), limits=limits)

    def test_jobs_that_wait(self, job_store: JobStore) -> None:
        limits = Limits(waiting=2)
        for _ in range(2):
            job_store.submit(new_job(), limits=limits)
        with pytest.raises(TooManyRequests, match="2 jobs waiting"):
            job_store.submit(new_job(), limits=limits)
        assert job_store.claim("me")
        job = job_store.submit(new_job(), limits=limits).job
        with pytest.raises(TooManyRequests):
            job_store.submit(new_job(), limits=limits)
        job_store.cancel(job.id)
        job_store.submit(new_job(), limits=limits)

    def test_a_key_without_a_row_has_nothing_to_count(self, job_store: JobStore) -> None:
        for _ in range(3):
            job_store.submit(new_job(key_id="demo"), limits=Limits(per_minute=1, per_day=1))

    def test_a_retry_counts_as_a_job_does(
        self, vix_database: Database, job_store: JobStore, key_id: str, movable_clock: MovableClock
    ) -> None:
        limits = Limits(per_day=2, waiting=1)
        job = job_store.submit(new_job(key_id=key_id), limits=limits).job
        for number in range(2):
            claimed = job_store.claim("me")
            assert claimed is not None
            job_store.fail(claimed.claim, Failure("a", "b", False))
            if number == 0:
                other = job_store.submit(new_job()).job
                assert job_store.retry(job.id, key_id, limits=limits).status is Status.IN_QUEUE
                job_store.cancel(other.id)
        failed = job_store.get(job.id)
        with pytest.raises(TooManyRequests, match="2 jobs a day") as caught:
            job_store.retry(job.id, key_id, limits=limits)
        assert job_store.get(job.id) == failed
        movable_clock.move(caught.value.retry_after_s)
        job_store.retry(job.id, key_id, limits=limits)
        assert JobViews(vix_database).waiting() == 1

    def test_what_a_refusal_puts_right_stays(
        self, vix_database: Database, job_store: JobStore, key_id: str, movable_clock: MovableClock
    ) -> None:
        """A clock that was years ahead for a moment must not close the key for years."""
        years_s = 10 * 365 * 86_400
        movable_clock.move(years_s)
        job_store.submit(new_job(key_id=key_id), limits=Limits(per_day=1))
        movable_clock.move(-years_s)
        with pytest.raises(TooManyRequests) as caught:
            job_store.submit(new_job(key_id=key_id), limits=Limits(per_day=1))
        movable_clock.move(caught.value.retry_after_s)
        job_store.submit(new_job(key_id=key_id), limits=Limits(per_day=1))
