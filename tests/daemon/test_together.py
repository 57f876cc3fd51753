"""Parts end at the same time, and one that does not end holds up nobody for longer than the limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from daemon.worker.together import Together


@contextmanager
def part(at_end: threading.Barrier | threading.Event) -> Iterator[None]:
    yield
    at_end.wait(60)


def test_all_are_left_at_once() -> None:
    meeting = threading.Barrier(4)  # three parts and this thread: nobody passes before all are there
    ended = threading.Event()

    def leave() -> None:
        with Together(60) as together:
            for _ in range(3):
                together.enter(part(meeting))
        ended.set()

    threading.Thread(target=leave, daemon=True).start()
    meeting.wait(60)
    assert ended.wait(60)


def test_the_limit_is_for_all_of_them_together() -> None:
    never = threading.Event()
    ended = threading.Event()

    def leave() -> None:
        with Together(0.1) as together:
            for _ in range(100):
                together.enter(part(never))
        ended.set()

    threading.Thread(target=leave, daemon=True).start()
    assert ended.wait(30), "one after the other they would take more than an hour"
    never.set()


def test_one_that_fails_at_its_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @contextmanager
    def broken() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    well = threading.Event()
    well.set()
    with Together(60) as together:
        together.enter(broken())
        together.enter(part(well))
    assert [record.__dict__["action"] for record in caplog.records] == ["leave_failed"]


def test_those_that_were_entered_are_left_where_the_next_one_cannot_be() -> None:
    left = threading.Event()

    @contextmanager
    def first() -> Iterator[None]:
        yield
        left.set()

    @contextmanager
    def second() -> Iterator[None]:
        yield from broken()

    def broken() -> Iterator[None]:
        raise ZeroDivisionError

    def enter_both() -> None:
        with Together(60) as together:
            together.enter(first())
            together.enter(second())

    with pytest.raises(ZeroDivisionError):
        enter_both()
    assert left.is_set()
