"""When a worker's process counts as hanging: after a lease without a beat, and never before it has beaten."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from daemon.errors import DatabaseBusy
from daemon.store.workers import WorkerSeen
from daemon.worker.pulse import Pulse

LEASE_S = 6.0


@dataclass
class Table:
    """What the workers' table says, which is asked once a second here."""

    beats: dict[str, int] = field(default_factory=dict)
    broken: bool = False
    now_s: float = 1000.0

    def all(self) -> list[WorkerSeen]:
        if self.broken:
            raise DatabaseBusy
        then = datetime(2026, 1, 1, tzinfo=UTC)
        return [WorkerSeen(name, {}, None, count, then, then) for name, count in self.beats.items()]

    def pulse(self) -> Pulse:
        return Pulse(self.all, "seat", LEASE_S, lambda: self.now_s)

    def after(self, pulse: Pulse, seconds: int, pid: int = 7) -> bool:
        gone = False
        for _ in range(seconds):
            self.now_s += 1
            gone = pulse.is_gone(pid)
        return gone


def test_one_that_beats_is_there_and_one_that_stops_is_gone() -> None:
    table = Table({"seat.7-a": 1})
    pulse = table.pulse()
    for _ in range(20):
        table.beats["seat.7-a"] += 1
        assert not table.after(pulse, 1)
    assert not table.after(pulse, 5)
    assert table.after(pulse, 2)
    table.beats["seat.7-a"] += 1
    assert not table.after(pulse, 1)


def test_only_this_process_of_this_seat_is_judged() -> None:
    table = Table({"seat.7-a": 1, "other.8-b": 1, "seat.77-c": 1})
    pulse = table.pulse()
    assert table.after(pulse, 10)
    assert not pulse.is_gone(8)
    assert not Table({"seat.7-a": 1}).after(table.pulse(), 10, pid=6)


def test_one_that_has_never_beaten_is_starting() -> None:
    table = Table()
    assert not table.after(table.pulse(), 100)


def test_a_table_that_cannot_be_read_says_nothing() -> None:
    table = Table({"seat.7-a": 1})
    pulse = table.pulse()
    table.after(pulse, 4)
    table.broken = True
    assert not table.after(pulse, 100)
    table.broken = False
    assert not table.after(pulse, 1), "that nobody looked is no silence"
