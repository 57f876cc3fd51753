"""Guessing keys is held back, calling with a good one is not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import pytest

from daemon.errors import BadKey, DatabaseBusy, TooManyRequests
from daemon.web.throttle import FAILURES, MOST_ADDRESSES, MOST_KEYS, Throttle


async def attempt(throttle: Throttle, address: str, key: str, good: str = "good") -> str:
    """What a call with a key is answered."""
    try:
        async with throttle.attempt(address, key):
            await anyio.sleep(0)
            if key == "busy":
                raise DatabaseBusy
            if key != good:
                raise BadKey
    except BadKey:
        return "wrong"
    except DatabaseBusy:
        return "busy"
    except TooManyRequests as exc:
        return "held back" if 1 <= exc.retry_after_s <= 60 else f"held back for {exc.retry_after_s} s"
    return "in"


def run(work: Callable[[], Awaitable[None]]) -> None:
    anyio.run(work)


def test_ten_wrong_keys_a_minute_are_looked_up() -> None:
    async def work() -> None:
        throttle = Throttle()
        answers = [await attempt(throttle, "a", f"wrong {number}") for number in range(FAILURES + 5)]
        assert answers == ["wrong"] * 10 + ["held back"] * 5
        assert await attempt(throttle, "b", "wrong") == "wrong"

    run(work)


def test_a_burst_gets_no_more_tries() -> None:
    async def work() -> None:
        throttle, answers = Throttle(), list[str]()

        async def one(number: int) -> None:
            answers.append(await attempt(throttle, "a", f"wrong {number}"))

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(one, number)
        assert sorted(answers) == ["held back"] * 90 + ["wrong"] * 10

    run(work)


def test_a_key_that_was_good_before_passes_beside_wrong_ones() -> None:
    async def work() -> None:
        throttle = Throttle()
        assert await attempt(throttle, "n8n", "good") == "in"
        for _ in range(50):
            await attempt(throttle, "n8n", "wrong")
        assert await attempt(throttle, "n8n", "good") == "in"
        assert await attempt(throttle, "n8n", "wrong") == "held back"
        # From elsewhere it is the same key.
        for _ in range(50):
            await attempt(throttle, "elsewhere", "wrong")
        assert await attempt(throttle, "elsewhere", "good") == "in"

    run(work)


def test_a_key_that_is_good_no_more_is_forgotten() -> None:
    async def work() -> None:
        throttle = Throttle()
        await attempt(throttle, "a", "good")
        for _ in range(50):
            await attempt(throttle, "a", "wrong")
        assert await attempt(throttle, "a", "good", good="another") == "wrong"
        assert await attempt(throttle, "a", "good", good="another") == "held back"

    run(work)


def test_a_good_key_that_is_new_waits_no_longer_than_the_window() -> None:
    async def work() -> None:
        throttle = Throttle(failures=2, window_s=1)
        for _ in range(3):
            await attempt(throttle, "a", "wrong")
        assert await attempt(throttle, "a", "good") == "held back"
        with anyio.fail_after(20):
            while await attempt(throttle, "a", "good") == "held back":
                await anyio.sleep(0.05)
        assert await attempt(throttle, "a", "good") == "in"

    run(work)


def test_what_the_database_cannot_do_is_nobodys_failure() -> None:
    async def work() -> None:
        throttle = Throttle()
        assert {await attempt(throttle, "a", "busy") for _ in range(30)} == {"busy"}
        assert await attempt(throttle, "a", "wrong") == "wrong"

    run(work)


def test_a_clock_that_is_put_back_keeps_nobody_out_for_a_day() -> None:
    async def work() -> None:
        set_back_s = 0.0
        throttle = Throttle(wall=lambda: time.time() - set_back_s)
        for number in range(FAILURES + 1):
            await attempt(throttle, "a", f"wrong {number}")
        assert await attempt(throttle, "a", "good") == "held back"
        set_back_s = 86_400.0
        assert await attempt(throttle, "a", "good") == "in"

    run(work)


def test_memory_is_bounded() -> None:
    async def work() -> None:
        throttle = Throttle()
        for number in range(MOST_ADDRESSES + 50):
            throttle.failed(f"2001:db8:{number:x}::/64")
            throttle.is_news(f"2001:db8:{number:x}::/64")
        for number in range(MOST_KEYS + 50):
            await attempt(throttle, "a", str(number), good=str(number))
        assert len(throttle._storage.events) <= 2 * MOST_ADDRESSES + 2
        assert len(throttle._addresses) == MOST_ADDRESSES
        assert len(throttle._good) == MOST_KEYS
        assert len(throttle._turns) == 0

    run(work)


@pytest.mark.parametrize("key", ["\ud800", "", "x" * 100_000])
def test_any_text_may_be_a_key(key: str) -> None:
    async def work() -> None:
        assert await attempt(Throttle(), "a", key) == "wrong"

    run(work)


def test_what_is_refused_is_news_only_so_often() -> None:
    throttle = Throttle()
    assert [throttle.is_news("a") for _ in range(3)] == [True, False, False]
    assert [throttle.is_news(f"b {number}") for number in range(70)] == [True] * 59 + [False] * 11


def test_news_are_told_again_after_a_clock_was_put_back() -> None:
    set_back_s = 0.0
    throttle = Throttle(wall=lambda: time.time() - set_back_s)
    assert [throttle.is_news("a") for _ in range(2)] == [True, False]
    set_back_s = 86_400.0
    assert throttle.is_news("a")
