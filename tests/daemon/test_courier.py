"""The courier's threads against receivers that answer as n8n does, and a sender that dies at every step."""

from __future__ import annotations

import base64
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.callbacks.courier import Courier
from daemon.callbacks.post import Post
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Outbound
from daemon.store.callbacks import CallbackStore, NewCallback, State, insert
from daemon.store.database import Database
from tests.fakes.n8n import RUNNING_ALREADY, STARTED, Reply, n8n

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOST = "127.0.0.3"


@pytest.fixture
def outbox(vix_database: Database) -> CallbackStore:
    return CallbackStore(vix_database)


@pytest.fixture
def courier(outbox: CallbackStore) -> Iterator[Courier]:
    post = Post(outbox, Outbound(Guard([HOST])), lambda key_id: [SECRET], "seat.1-aa")
    with Courier(outbox, post, "seat") as running:
        yield running


def put(database: Database, url: str, job_id: str = "job_1") -> None:
    now = datetime.now(UTC)
    with database.write() as connection:
        insert(connection, NewCallback(job_id, "key1", "job.done", url, {}, "{}", now, now))


def wait_for(what: Callable[[], bool]) -> None:
    """The time only bounds a failure."""
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_carries_what_is_put_there_and_tries_again(
    vix_database: Database, outbox: CallbackStore, courier: Courier
) -> None:
    with n8n(RUNNING_ALREADY, STARTED, host=HOST) as receiver:
        put(vix_database, f"{receiver.url}/x")
        courier.ring()
        wait_for(lambda: outbox.counts()[State.DONE] == 1)
        assert len(receiver.heard) == 2


def test_rings_are_not_needed(vix_database: Database, outbox: CallbackStore, courier: Courier) -> None:
    """The API's process puts callbacks there, too: for jobs that are cancelled while they wait."""
    with n8n(host=HOST) as receiver:
        put(vix_database, f"{receiver.url}/x")
        wait_for(lambda: outbox.counts()[State.DONE] == 1)


def test_one_at_a_time_for_a_receiver_and_several_side_by_side(
    vix_database: Database, outbox: CallbackStore, courier: Courier
) -> None:
    slow = Reply(200, "{}", after_s=0.1)
    with n8n(slow, host=HOST) as one, n8n(Reply(200, "{}", after_s=2.0), host=HOST) as other:
        for number in range(10):
            put(vix_database, f"{one.url}/{number}", f"job_{number}")
            put(vix_database, f"{other.url}/{number}", f"job_{number}")
        courier.ring()
        wait_for(lambda: len(one.heard) == 10)
        assert len(other.heard) < 10  # nobody waited for it
        assert (one.most_at_a_time, other.most_at_a_time) == (1, 1)


def test_the_end_lets_tries_end(vix_database: Database, outbox: CallbackStore) -> None:
    post = Post(outbox, Outbound(Guard([HOST])), lambda key_id: [SECRET], "seat.1-aa")
    with n8n(Reply(200, "{}", after_s=0.5), host=HOST) as receiver:
        put(vix_database, f"{receiver.url}/x")
        with Courier(outbox, post, "seat", grace_s=30):
            wait_for(lambda: len(receiver.heard) == 1)
        assert outbox.counts()[State.DONE] == 1


def broken(database: Database, event: str) -> Callable[[], None]:
    """Have the database refuse something as no program expects; what is returned mends it."""
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute(f"create trigger broken before {event} begin select raise(abort, 'broken'); end")

    def mend() -> None:
        other.execute("drop trigger broken")
        other.close()

    return mend


def test_what_goes_wrong_at_a_claim_does_not_end_the_courier(
    vix_database: Database, outbox: CallbackStore, courier: Courier, caplog: pytest.LogCaptureFixture
) -> None:
    mend = broken(vix_database, "update on callback")
    with n8n(host=HOST) as receiver:
        put(vix_database, f"{receiver.url}/x")
        wait_for(lambda: "callback_claim_failed" in [getattr(record, "action", "") for record in caplog.records])
        mend()
        wait_for(lambda: outbox.counts()[State.DONE] == 1)


def test_what_cannot_be_written_down_is_sent_again(
    vix_database: Database, outbox: CallbackStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it shut its host out."""
    mend = broken(vix_database, "insert on callback_try")
    post = Post(outbox, Outbound(Guard([HOST])), lambda key_id: [SECRET], "seat.1-aa")
    with n8n(host=HOST) as receiver, Courier(outbox, post, "seat", tidy_every_s=0.1):
        put(vix_database, f"{receiver.url}/1", "job_1")
        wait_for(lambda: "callback_write_failed" in [getattr(record, "action", "") for record in caplog.records])
        mend()
        put(vix_database, f"{receiver.url}/2", "job_2")
        wait_for(lambda: outbox.counts()[State.DONE] == 2)
        assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 2


NO_THREADS = """
import pathlib, sys, threading, time
from daemon.outbound.addresses import Guard
from daemon.callbacks.courier import Courier
from daemon.callbacks.post import Post
from daemon.outbound.client import Outbound
from daemon.store.callbacks import CallbackStore, State
from daemon.store.database import open_database
path, secret, host = sys.argv[1:]
store = CallbackStore(open_database(pathlib.Path(path)))
with Courier(store, Post(store, Outbound(Guard([host])), lambda key: [secret], "seat.2-bb"), "seat", at_once=1):
    threading.stack_size(2**46)  # no kernel has so much
    try:
        threading.Thread(target=print).start()
        sys.exit("a thread was started")
    except (RuntimeError, MemoryError):
        pass
    print("ready", flush=True)
    sys.stdin.readline()
    threading.stack_size(0)
    sys.stdin.read()
"""


def test_a_time_without_room_for_threads_loses_nothing(vix_database: Database, outbox: CallbackStore) -> None:
    """Tries go on, one by one, although what they need has no room either."""
    command = [sys.executable, "-c", NO_THREADS, str(vix_database.path), SECRET, HOST]
    with (
        n8n(host=HOST) as receiver,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender,
    ):
        assert sender.stdin
        assert sender.stdout
        assert sender.stdout.readline() == "ready\n"
        for number in range(3):
            put(vix_database, f"{receiver.url}/{number}", f"job_{number}")
        wait_for(lambda: all(tries for number in range(3) for _, tries in outbox.of_job(f"job_{number}", "key1")))
        sender.stdin.write("\n")
        sender.stdin.flush()
        wait_for(lambda: outbox.counts()[State.DONE] == 3)
        sender.communicate(timeout=60)
        assert sender.returncode == 0


DYING = """
import sys
from daemon import failpoints
from daemon.outbound.addresses import Guard
from daemon.callbacks.courier import Courier
from daemon.callbacks.post import Post
from daemon.outbound.client import Outbound
from daemon.store.callbacks import CallbackStore
from daemon.store.database import open_database
import threading, pathlib
path, point, secret, host = sys.argv[1:]
failpoints.arm(point)
store = CallbackStore(open_database(pathlib.Path(path)))
with Courier(store, Post(store, Outbound(Guard([host])), lambda key: [secret], "seat.2-bb"), "seat"):
    threading.Event().wait(60)
"""


@pytest.mark.parametrize(
    ("point", "told_before", "told_again"),
    [("callback_claimed", 0, True), ("callback_sent", 1, True), ("callback_written", 1, False)],
)
def test_a_sender_that_dies(
    vix_database: Database, outbox: CallbackStore, tmp_path: Path, point: str, told_before: int, told_again: bool
) -> None:
    """What was under way is sent again at the next start of the seat, at once and under the same id; never lost."""
    with n8n(host=HOST) as receiver:
        put(vix_database, f"{receiver.url}/x")
        arguments = [sys.executable, "-c", DYING, str(vix_database.path), point, SECRET, HOST]
        died = subprocess.run(arguments, timeout=60, cwd=os.getcwd(), check=False)
        assert died.returncode == -9
        assert len(receiver.heard) == told_before
        post = Post(outbox, Outbound(Guard([HOST])), lambda key_id: [SECRET], "seat.1-aa")
        with Courier(outbox, post, "seat"):
            wait_for(lambda: outbox.counts()[State.DONE] == 1)
        assert len(receiver.heard) == told_before + told_again
        assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 1
