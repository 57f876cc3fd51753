"""Beats go on while the films' thread does, are told to the parent too, and stop when that thread stands still."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from daemon.store.database import Database
from daemon.store.workers import WorkerStore
from daemon.worker.heartbeat import Heartbeat
from tests.daemon.workers import eventually


def test_a_thread_that_stands_still_is_noticed(vix_database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A third of a second without a sign stands for ten minutes; with the next sign there are beats again."""
    workers = WorkerStore(vix_database)
    pulses: list[None] = []

    def turns_without() -> int:
        return sum(record.__dict__.get("action") == "heartbeat_stuck" for record in caplog.records)

    with Heartbeat(workers, "seat.1-a", dict, 0.01, pulse=lambda: pulses.append(None), stuck_s=0.3) as heartbeat:
        eventually(lambda: turns_without() >= 3, "it is noticed")
        before = workers.all()[0].beats, len(pulses)
        eventually(lambda: turns_without() >= 20, "many turns more")
        assert (workers.all()[0].beats, len(pulses)) == before

        def both_go_on() -> bool:
            heartbeat.moves()
            return workers.all()[0].beats > before[0] and len(pulses) > before[1]

        eventually(both_go_on, "it moves again")
    assert workers.all() == []


def test_the_parent_hears_it_while_the_database_cannot_be_written(vix_database: Database) -> None:
    pulses: list[None] = []
    with closing(sqlite3.connect(vix_database.path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with Heartbeat(WorkerStore(vix_database), "seat.1-a", dict, 0.01, pulse=lambda: pulses.append(None)):
            eventually(lambda: len(pulses) > 10, "beats")
        other.execute("rollback")


def test_who_it_is_is_asked_once(vix_database: Database) -> None:
    asked: list[None] = []

    def about() -> dict[str, int]:
        asked.append(None)
        return {"n": len(asked)}

    workers = WorkerStore(vix_database)
    with Heartbeat(workers, "seat.1-a", about, 0.01):
        eventually(lambda: workers.all()[0].beats > 3, "beats")
        assert workers.all()[0].about == {"n": 1}
