from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.estimate import PRIOR_RATE, Line, Running, Speed, rate, remaining_s, rest_s, work
from daemon.jobs import FULL_HD_PX, Job, NewJob, Status
from daemon.store.database import Database
from daemon.store.jobs import JobStore
from daemon.store.views import JobViews
from tests.daemon.conftest import MovableClock, new_job

SECOND = float(FULL_HD_PX)  # the work of one film second


@pytest.fixture
def job_views(vix_database: Database, movable_clock: MovableClock) -> JobViews:
    return JobViews(vix_database, movable_clock)


def finish_one(store: JobStore, clock: MovableClock, render_s: float, film_s: float = 10.0) -> Job:
    store.submit(new_job(film_s=film_s))
    job = store.claim("me")
    assert job
    clock.move(render_s)
    result = {"duration_s": film_s, "width": 1080, "height": 1920, "fps": 30.0, "render_s": render_s}
    assert store.finish(job.claim, result)
    return job


def estimate(views: JobViews, job: Job) -> float | None:
    return remaining_s(job, views.line(job), views.speeds())


def test_before_the_first_film_a_prior_answers() -> None:
    assert rate([]) == PRIOR_RATE
    assert rate([Speed(0, 5), Speed(5, 0)]) == PRIOR_RATE


def test_one_stalled_film_does_not_spoil_the_rate() -> None:
    assert rate([Speed(10, 20), Speed(10, 21), Speed(10, 4000)]) == pytest.approx(2.1)


def test_the_rest_of_a_running_film() -> None:
    assert rest_s(Running(10, 0, 3), 2) == pytest.approx(20)  # nothing known yet: all that experience says
    assert rest_s(Running(10, 100, 500), 2) == 0
    assert rest_s(Running(10, 50, 10), 2) == pytest.approx(10)  # half done in half the time
    assert 10 < rest_s(Running(10, 50, 20), 2) < 20  # twice as slow: between experience and its own pace


def test_the_rest_of_a_film_on_pace_counts_down_to_nothing() -> None:
    rests = [rest_s(Running(10, percent, 20 * percent / 100), 2) for percent in range(0, 101, 5)]
    assert rests == sorted(rests, reverse=True)
    assert rests[0] == pytest.approx(20)
    assert rests[-1] == 0
    assert rests == pytest.approx([20 * (1 - percent / 100) for percent in range(0, 101, 5)])


def test_an_ended_job_has_nothing_left(job_store: JobStore, job_views: JobViews, movable_clock: MovableClock) -> None:
    job = finish_one(job_store, movable_clock, 5)
    assert estimate(job_views, job_store.get(job.id)) == 0


def test_a_delivering_job_cannot_be_known(job_store: JobStore) -> None:
    job = job_store.submit(new_job()).job
    assert remaining_s(replace(job, status=Status.DELIVERING), Line(None, 0, ()), []) is None


def test_a_waiting_job_waits_for_all_before_it(
    job_store: JobStore, job_views: JobViews, movable_clock: MovableClock
) -> None:
    for _ in range(3):
        finish_one(job_store, movable_clock, render_s=20, film_s=10)  # 2 s a film second
    job_store.submit(new_job(film_s=30))
    second = job_store.submit(new_job(film_s=5)).job
    third = job_store.submit(new_job(film_s=7)).job
    assert estimate(job_views, second) == pytest.approx(60 + 10)
    assert estimate(job_views, third) == pytest.approx(60 + 10 + 14)

    running = job_store.claim("me")
    assert running
    movable_clock.move(30)
    assert job_store.report(running.claim, stage="render", progress=50)
    rest = estimate(job_views, job_store.get(running.id))
    assert rest == pytest.approx(30)
    assert rest is not None
    assert estimate(job_views, second) == pytest.approx(rest + 10)


def test_several_workers_share_what_is_ahead() -> None:
    def wait_s(*running: Running) -> float | None:
        return remaining_s(waiting, Line(1, 30.0, running), [Speed(1, 2)])

    waiting = _waiting(work=10.0)
    one, other = Running(8, 0, 0), Running(4, 0, 0)
    assert wait_s() == 2 * 30 + 2 * 10
    assert wait_s(one) == 2 * 8 + 2 * 30 + 2 * 10
    assert wait_s(one, other) == (2 * 8 + 2 * 4 + 2 * 30) / 2 + 2 * 10


def _waiting(work: float) -> Job:
    now = MovableClock().time
    return Job(
        id="job_a",
        kind="template",
        spec={},
        seed=1,
        key_id="key1",
        status=Status.IN_QUEUE,
        stage="",
        progress=0,
        attempt=0,
        owner=None,
        error=None,
        result=None,
        warnings=(),
        client_data=None,
        film_s=1.0,
        work=work,
        priority=0,
        callback=None,
        base_url="",
        film=None,
        created_at=now,
        started_at=None,
        finished_at=None,
    )


def test_a_clock_set_back_gives_no_negative_time(
    job_store: JobStore, job_views: JobViews, movable_clock: MovableClock
) -> None:
    job_store.submit(new_job())
    running = job_store.claim("me")
    assert running
    job_store.report(running.claim, stage="render", progress=90)
    movable_clock.move(-3600)
    assert 0 <= (estimate(job_views, running) or 0) < 10


def test_results_that_do_not_say_teach_nothing(job_store: JobStore, job_views: JobViews) -> None:
    job_store.submit(new_job())
    job = job_store.claim("me")
    assert job
    job_store.finish(job.claim, {"width": 1080})
    assert job_views.speeds() == []


def test_frames_and_quality_are_work_too() -> None:
    assert work(10, FULL_HD_PX, 30, "social") == 10 * SECOND
    assert work(10, FULL_HD_PX, 60, "social") == 20 * SECOND
    assert work(10, FULL_HD_PX, 30, "high") > work(10, FULL_HD_PX, 30, "social") > work(10, FULL_HD_PX, 30, "draft")


def test_frames_made_by_flow_are_work_at_every_quality() -> None:
    for quality in ("draft", "social", "high"):
        more = work(10, FULL_HD_PX, 30, quality, "flow") - work(10, FULL_HD_PX, 30, quality, "blend")
        assert more == pytest.approx(50 * SECOND)


@pytest.mark.parametrize(
    ("fps", "quality", "smooth"), [(60, "social", "blend"), (10, "high", "blend"), (30, "draft", "flow")]
)
def test_what_a_film_teaches_is_what_such_a_film_is_estimated_with(
    job_store: JobStore, job_views: JobViews, movable_clock: MovableClock, fps: int, quality: str, smooth: str
) -> None:
    def submit() -> Job:
        return job_store.submit(NewJob("template", {}, 1, "key1", 10.0, fps=fps, quality=quality, smooth=smooth)).job

    submit()
    job = job_store.claim("me")
    assert job
    movable_clock.move(77)
    asked = {"duration_s": 10.0, "width": 1080, "height": 1920, "fps": float(fps), "quality": quality}
    result = {**asked, "smooth": smooth, "render_s": 77}
    assert job_store.finish(job.claim, result)
    assert estimate(job_views, submit()) == pytest.approx(77)


def test_only_the_latest_films_teach(job_store: JobStore, job_views: JobViews, movable_clock: MovableClock) -> None:
    for render_s in (1, 2, 3, 4):
        finish_one(job_store, movable_clock, render_s)
    assert [speed.render_s for speed in job_views.speeds(limit=2)] == [4, 3]
    assert job_views.speeds()[0].work == 10 * SECOND
