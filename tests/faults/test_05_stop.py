"""Row 5: asked to stop during a film, the worker finishes it or puts it back; no job ever fails of it."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from daemon.jobs import Status
from daemon.signals import ASK, HURRY
from daemon.store.jobs import JobStore
from daemon.worker.lock import seat
from tests.daemon.workers import PATIENCE_S, eventually, has_heard, is_alive, is_ready, is_rendering, submit, worker
from tests.faults.processes import api


def test_a_film_may_finish(tmp_path: Path, patient_store: JobStore) -> None:
    job, following = (submit(patient_store, 1) for _ in range(2))
    with worker(tmp_path, stop_s=60) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert patient_store.get(job.id).status is Status.DONE
    assert patient_store.get(following.id).attempt == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_long_film_is_put_back(tmp_path: Path, patient_store: JobStore, number: signal.Signals) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path, stop_s=0.2) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
    found = patient_store.get(job.id)
    assert (found.status, found.owner, found.error) == (Status.IN_QUEUE, None, None)
    assert not is_alive(int((tmp_path / "maker.pid").read_text()))
    assert patient_store.release_seat(seat(tmp_path), max_attempts=1).failed == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_does_not_wait(tmp_path: Path, patient_store: JobStore, number: signal.Signals) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path, stop_s=600) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: has_heard(tmp_path), "it knows")
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
    assert patient_store.get(job.id).status is Status.IN_QUEUE


def test_two_signals_that_come_together_are_two(tmp_path: Path, patient_store: JobStore) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path, stop_s=600) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(signal.SIGSTOP)  # so that it finds both at once
        process.send_signal(ASK)
        process.send_signal(HURRY)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_S) == 0
    assert patient_store.get(job.id).status is Status.IN_QUEUE


def test_nohup_keeps_it_from_the_end_of_a_session(tmp_path: Path, patient_store: JobStore) -> None:
    job = submit(patient_store, 1)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with worker(tmp_path) as process:
            eventually(lambda: is_rendering(patient_store, job), "the film is being made")
            process.send_signal(signal.SIGHUP)
            following = submit(patient_store, 0.01)
            eventually(lambda: patient_store.get(following.id).status is Status.DONE, "it goes on")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_to_the_whole_group_fails_no_job(tmp_path: Path, patient_store: JobStore) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path, stop_s=600) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(signal.SIGTERM)
        maker = int((tmp_path / "maker.pid").read_text())
        eventually(lambda: has_heard(tmp_path), "it knows")
        os.kill(maker, signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert patient_store.get(job.id).status is Status.IN_QUEUE


def test_an_idle_worker_ends(tmp_path: Path) -> None:
    with worker(tmp_path, stop_s=600) as process:
        eventually(partial(is_ready, tmp_path), "the worker is there")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_what_stops_a_worker_leaves_no_files_and_no_row(tmp_path: Path, patient_store: JobStore) -> None:
    job = submit(patient_store, 600)
    with worker(tmp_path, stop_s=0) as process:
        eventually(lambda: is_rendering(patient_store, job), "the film is being made")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "films").glob("*")) == []
    with worker(tmp_path) as process:
        eventually(lambda: patient_store.get(job.id).attempt == 2, "the next one takes it at once")


def test_the_end_of_a_session_stops_the_api_gently(tmp_path: Path) -> None:
    with api(tmp_path) as (process, url):
        assert url.startswith("http://")
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE_S) == 0
