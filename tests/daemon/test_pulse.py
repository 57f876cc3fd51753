"""When a worker's process counts as hanging: after a lease without a beat, and never before it has beaten."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon.store.database import open_database
from daemon.worker.pulse import Pulse, beats_through
from tests.daemon.workers import eventually, is_ready, state, worker

LEASE_S = 6.0


class Clock:
    """A clock that the test moves."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def closed_pulse(lease_s: float, clock: Clock | None = None) -> Iterator[Pulse]:
    pulse = Pulse(lease_s, clock or time.monotonic)
    yield pulse
    pulse.close()


@pytest.fixture
def pulse(clock: Clock) -> Iterator[Pulse]:
    with closed_pulse(LEASE_S, clock) as found:
        yield found


def after(pulse: Pulse, clock: Clock, seconds: int, pid: int = 7) -> bool:
    gone = pulse.is_gone(pid)
    for _ in range(seconds):
        clock.now_s += 1
        gone = pulse.is_gone(pid)
    return gone


def test_one_that_beats_is_there_and_one_that_stops_is_gone(pulse: Pulse, clock: Clock) -> None:
    beat = beats_through(pulse.fd)
    assert not pulse.is_gone(7)
    for _ in range(20):
        beat()
        assert not after(pulse, clock, 1)
    assert not after(pulse, clock, 4)
    assert after(pulse, clock, 3)
    beat()
    assert not after(pulse, clock, 1)


def test_one_that_has_never_beaten_is_starting(pulse: Pulse, clock: Clock) -> None:
    assert not after(pulse, clock, 100)


def test_the_next_one_is_not_taken_for_the_one_before(pulse: Pulse, clock: Clock) -> None:
    pulse.is_gone(7)
    beats_through(pulse.fd)()
    assert after(pulse, clock, 10)
    beats_through(pulse.fd)()  # its last, heard when the next one runs
    assert not after(pulse, clock, 100, pid=8)
    beats_through(pulse.fd)()
    assert after(pulse, clock, 10, pid=8)


def test_that_nobody_asked_is_no_silence(pulse: Pulse, clock: Clock) -> None:
    pulse.is_gone(7)
    beats_through(pulse.fd)()
    after(pulse, clock, 1)
    clock.now_s += 86_400
    assert not after(pulse, clock, 1)


def test_a_parent_that_does_not_listen_stops_nobody(pulse: Pulse) -> None:
    beat = beats_through(pulse.fd)
    for _ in range(2**17):  # more than a pipe holds
        beat()


def test_a_worker_beats_while_its_database_cannot_be_written(tmp_path: Path) -> None:
    """A lock that another process keeps, for four leases; then the worker is stopped, which is noticed."""
    open_database(tmp_path / "vix.db").close()
    with closed_pulse(3.0) as pulse, worker(tmp_path, pulse_fd=pulse.fd, lease_s=3.0) as process:
        pulse.is_gone(process.pid)
        eventually(lambda: is_ready(tmp_path), "the worker is there")
        with closing(sqlite3.connect(tmp_path / "vix.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            until = time.monotonic() + 12
            while time.monotonic() < until:
                assert not pulse.is_gone(process.pid)
                time.sleep(0.05)
            other.execute("rollback")
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: state(process.pid) == "T", "it stands still")
        eventually(lambda: pulse.is_gone(process.pid), "that is noticed")
