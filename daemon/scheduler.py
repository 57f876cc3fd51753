"""What is done by the clock: `schedule` decides when. Runs beside the worker, on a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType

import schedule

from daemon.worker.ticker import Ticker

_LOOK_EVERY_S = 15.0
_log = logging.getLogger(__name__)


class Scheduler:
    """While entered, runs each task at the start and then every so many minutes. One that fails is run again.

    Tasks of one scheduler wait for each other.
    """

    def __init__(
        self, tasks: dict[str, tuple[float, Callable[[], object]]], look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._tasks = tasks
        self.plan = schedule.Scheduler()
        for name, (every_min, _) in tasks.items():
            self.plan.every(round(every_min * 60)).seconds.do(self._run, name)
        self._started = False
        self._ticker = Ticker("scheduler", look_every_s, self._turn, at_once=True)

    def __enter__(self) -> Scheduler:
        self._ticker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.__exit__(kind, exc, trace)

    def _turn(self) -> None:
        if not self._started:
            self._started = True
            self.plan.run_all()
            return
        # `schedule` counts on the wall clock: once that was put back, the next run is further away than ever planned.
        for job in self.plan.jobs:
            if job.next_run and job.next_run - datetime.now() > timedelta(seconds=job.interval + 60):
                job.run()  # type: ignore[no-untyped-call]
        self.plan.run_pending()

    def _run(self, name: str) -> None:
        try:
            self._tasks[name][1]()
        except Exception as exc:
            _log.error("A scheduled task failed.", exc_info=exc, extra={"action": "task_failed", "task": name})
