from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from daemon.jobs import Failure, Job, Status
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.views import JobViews, Page
from tests.daemon.conftest import MovableClock, every_database, new_job

pytestmark = every_database


@pytest.fixture
def job_views(vix_database: Database, movable_clock: MovableClock) -> JobViews:
    return JobViews(vix_database, movable_clock)


def claimed(store: JobStore) -> Job:
    job = store.claim("me")
    assert job
    return job


class TestLine:
    def test_places_move_up(self, job_store: JobStore, job_views: JobViews) -> None:
        jobs = [job_store.submit(new_job(film_s=10 * n)).job for n in (1, 2, 3)]
        assert [job_views.line(job).position for job in jobs] == [1, 2, 3]
        assert job_views.waiting() == 3
        assert job_views.line(jobs[2]).work_ahead == jobs[0].work + jobs[1].work
        running = claimed(job_store)
        assert [job_views.line(job).position for job in jobs[1:]] == [1, 2]
        assert job_views.line(running).position is None
        (film,) = job_views.line(jobs[1]).running
        assert (film.work, film.progress, film.elapsed_s) == (jobs[0].work, 0, 0)
        assert job_views.waiting() == 2

    def test_priority_comes_before_age(self, job_store: JobStore, job_views: JobViews) -> None:
        jobs = {
            priority: job_store.submit(replace(new_job(film_s=10 + priority), priority=priority)).job
            for priority in (0, -2, 5, 3)
        }
        assert {priority: job_views.line(job).position for priority, job in jobs.items()} == {5: 1, 3: 2, 0: 3, -2: 4}
        assert job_views.line(jobs[0]).work_ahead == jobs[5].work + jobs[3].work
        given = [job.priority for job in iter(lambda: job_store.claim("me"), None)]
        assert given == [5, 3, 0, -2]  # places are those in which jobs are given out

    def test_each_running_film_counts_for_those_who_wait(self, job_store: JobStore, job_views: JobViews) -> None:
        job_store.submit(new_job(film_s=10))
        job_store.submit(new_job(film_s=20))
        waiting = job_store.submit(new_job()).job
        first, second = claimed(job_store), claimed(job_store)
        assert {film.work for film in job_views.line(waiting).running} == {first.work, second.work}
        assert [film.work for film in job_views.line(first).running] == [first.work]
        assert [film.work for film in job_views.line(second).running] == [second.work]

    def test_the_running_time_counts_from_the_last_claim(
        self, job_store: JobStore, job_views: JobViews, movable_clock: MovableClock
    ) -> None:
        job_store.submit(new_job())
        job_store.put_back(claimed(job_store).claim)
        movable_clock.move(1000)
        job = claimed(job_store)
        movable_clock.move(3)
        (film,) = job_views.line(job).running
        assert film.elapsed_s == 3

    def test_who_is_gone_waits_for_nothing(self, job_store: JobStore, job_views: JobViews) -> None:
        job = job_store.submit(new_job()).job
        job_store.cancel(job.id)
        assert job_views.line(job_store.get(job.id)).position is None


class TestPage:
    def ids(self, page: Page) -> list[str]:
        return [job.id for job in page.jobs]

    def test_the_newest_first_in_pages_that_do_not_overlap(self, job_store: JobStore, job_views: JobViews) -> None:
        jobs = [job_store.submit(new_job(str(n))).job for n in range(7)]
        pages, before = [], None
        for _ in range(4):
            page = job_views.page("key1", limit=2, before=before)
            pages.append(self.ids(page))
            before = page.next
        newest = [job.id for job in reversed(jobs)]
        assert pages == [newest[:2], newest[2:4], newest[4:6], newest[6:]]
        assert before is None
        assert job_views.page("key1", limit=2).jobs[0] == jobs[-1]

    def test_a_full_last_page_has_none_after_it(self, job_store: JobStore, job_views: JobViews) -> None:
        for _ in range(4):
            job_store.submit(new_job())
        page = job_views.page("key1", limit=2, before=job_views.page("key1", limit=2).next)
        assert (len(page.jobs), page.next) == (2, None)

    def test_new_jobs_do_not_shift_the_pages(self, job_store: JobStore, job_views: JobViews) -> None:
        jobs = [job_store.submit(new_job()).job for _ in range(4)]
        page = job_views.page("key1", limit=2)
        job_store.submit(new_job())
        assert self.ids(job_views.page("key1", limit=2, before=page.next)) == [jobs[1].id, jobs[0].id]

    def test_of_one_key_or_of_all(self, job_store: JobStore, job_views: JobViews) -> None:
        mine, theirs = (job_store.submit(new_job(key_id=key)).job for key in ("key1", "key2"))
        assert self.ids(job_views.page("key1", limit=9)) == [mine.id]
        assert self.ids(job_views.page(None, limit=9)) == [theirs.id, mine.id]
        assert job_views.page("key3", limit=9) == Page((), None)

    def test_by_status_and_kind(self, job_store: JobStore, job_views: JobViews) -> None:
        done, failed, other = (job_store.submit(replace(new_job(), kind=kind)).job for kind in "aab")
        waiting = [job_store.submit(replace(new_job(), kind="a")).job.id for _ in range(3)]
        job_store.finish(claimed(job_store).claim, {})
        job_store.fail(claimed(job_store).claim, Failure("a", "b", False))
        job_store.cancel(other.id)

        def ids(*statuses: Status, kind: str | None = None, limit: int = 9) -> list[str]:
            return self.ids(job_views.page("key1", statuses=statuses, kind=kind, limit=limit))

        assert ids(Status.IN_QUEUE) == waiting[::-1]
        assert ids(Status.DONE) == [done.id]
        assert ids(Status.DONE, Status.FAILED, Status.IN_QUEUE) == [*waiting[::-1], failed.id, done.id]
        assert ids(Status.DONE, Status.IN_QUEUE, limit=2) == waiting[:0:-1]
        assert ids(kind="b") == [other.id]
        assert ids(Status.CANCELLED, kind="a") == []
        assert ids(*Status) == ids()

    def test_pages_of_some_statuses_leave_nothing_out(self, job_store: JobStore, job_views: JobViews) -> None:
        for number in range(12):
            job = job_store.submit(new_job()).job
            if number % 3 == 0:
                job_store.cancel(job.id)
        statuses = (Status.IN_QUEUE, Status.CANCELLED)
        found, before = [], None
        for _ in range(3):
            page = job_views.page("key1", statuses=statuses, limit=4, before=before)
            found += [job.id for job in page.jobs]
            before = page.next
        assert before is None
        assert found == self.ids(job_views.page("key1", limit=20))


class TestCounts:
    def test_each_status_has_its_number(self, job_store: JobStore, job_views: JobViews) -> None:
        assert job_views.counts() == dict.fromkeys(Status, 0)
        for _ in range(5):
            job_store.submit(new_job())
        job_store.finish(claimed(job_store).claim, {})
        job_store.cancel(claimed(job_store).id)
        claimed(job_store)
        expected = {Status.IN_QUEUE: 2, Status.RENDERING: 1, Status.DONE: 1, Status.CANCELLED: 1}
        assert job_views.counts() == dict.fromkeys(Status, 0) | expected

    def test_who_waits_longest(self, job_store: JobStore, job_views: JobViews, movable_clock: MovableClock) -> None:
        assert job_views.oldest_waiting_at() is None
        came = []
        for priority in (0, 9):
            came.append(movable_clock.time)
            job_store.submit(replace(new_job(), priority=priority))
            movable_clock.move(60)
        assert job_views.oldest_waiting_at() == came[0]
        claimed(job_store)  # the second, as it matters more
        assert job_views.oldest_waiting_at() == came[0]
        claimed(job_store)
        assert job_views.oldest_waiting_at() is None

    def test_the_results_of_the_last_films(
        self, job_store: JobStore, job_views: JobViews, movable_clock: MovableClock
    ) -> None:
        for number in range(4):
            job_store.submit(new_job())
            movable_clock.move(1)
            job_store.finish(claimed(job_store).claim, {"number": number})
        job_store.submit(new_job())
        job_store.fail(claimed(job_store).claim, Failure("a", "b", False))
        numbers = [result["number"] for result in job_views.results(3)]
        assert numbers == [3, 2, 1]
        assert all(later > earlier for later, earlier in pairwise(numbers))
