"""Turns come again whatever one of them does, and end with the block."""

from __future__ import annotations

import threading

import pytest

from daemon.errors import DatabaseBusy
from daemon.worker.ticker import Ticker
from tests.daemon.workers import eventually


@pytest.mark.parametrize("trouble", [DatabaseBusy(), ZeroDivisionError("a mistake")], ids=["busy", "mistake"])
def test_a_turn_that_fails_is_followed_by_others(trouble: Exception, caplog: pytest.LogCaptureFixture) -> None:
    turns: list[str] = []

    def act() -> None:
        turns.append(threading.current_thread().name)
        raise trouble

    with Ticker("clock", 0.001, act):
        eventually(lambda: len(turns) >= 3, "three turns")
    count = len(turns)
    assert set(turns) == {"clock"}
    assert [thread for thread in threading.enumerate() if thread.name == "clock"] == []
    assert len(turns) == count
    assert {record.__dict__["turn"] for record in caplog.records} == {"clock"}


def test_the_first_turn_may_be_at_once() -> None:
    turned = threading.Event()
    with Ticker("clock", 3600, turned.set, at_once=True):
        assert turned.wait(60)
    later = threading.Event()
    with Ticker("clock", 3600, later.set):
        pass
    assert not later.is_set()
