"""What is done by the clock: at the start, again, and in spite of what goes wrong."""

from __future__ import annotations

import logging

import pytest

from daemon.scheduler import Scheduler
from tests.daemon.workers import eventually


def test_tasks_run_at_the_start_and_one_that_fails_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    def breaks() -> None:
        ran.append("breaks")
        raise OSError("no disk")

    with Scheduler({"breaks": (60, breaks), "works": (60, lambda: ran.append("works"))}, 0.001):
        eventually(lambda: len(ran) == 2, "both ran")
    assert ran == ["breaks", "works"], "once, and not again before their time"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.__dict__["task"] == "breaks"


def test_a_clock_that_is_put_back_puts_nothing_off() -> None:
    """As seen from a clock that was put back, the next run is far away; it is made up for at once."""
    ran: list[int] = []
    scheduler = Scheduler({"works": (60, lambda: ran.append(1))}, 0.001)
    with scheduler:
        eventually(lambda: len(ran) == 1, "the first")
        (job,) = scheduler.plan.jobs
        assert job.next_run
        job.next_run = job.next_run.replace(year=job.next_run.year + 50)
        eventually(lambda: len(ran) == 2, "the second")
    assert job.next_run.year < 2076


def test_what_is_due_runs() -> None:
    ran: list[int] = []
    scheduler = Scheduler({"works": (60, lambda: ran.append(1))}, 0.001)
    with scheduler:
        eventually(lambda: len(ran) == 1, "the first")
        (job,) = scheduler.plan.jobs
        assert job.next_run
        job.next_run = job.next_run.replace(year=2000)
        eventually(lambda: len(ran) == 2, "the second")
