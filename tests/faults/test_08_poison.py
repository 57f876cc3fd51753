"""Row 8: a job that kills its worker each time is given up after three tries, and the next one is made."""

from __future__ import annotations

import signal
from pathlib import Path

from daemon.jobs import Status
from daemon.store.jobs import JobStore
from tests.daemon.workers import PATIENCE_S, eventually, submit, worker


def test_a_job_that_kills_the_worker_is_given_up(tmp_path: Path, patient_store: JobStore) -> None:
    poison = submit(patient_store, 0.01, poison=True)
    innocent = submit(patient_store, 0.01)
    for _ in range(3):
        with worker(tmp_path, max_attempts=3) as process:
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with worker(tmp_path, max_attempts=3):
        eventually(lambda: patient_store.get(innocent.id).status is Status.DONE, "the next film is made")
    job = patient_store.get(poison.id)
    assert job.error
    assert (job.status, job.error.code, job.attempt) == (Status.FAILED, "worker_died", 3)
    again = patient_store.retry(poison.id)
    assert (again.status, again.error) == (Status.IN_QUEUE, None)
