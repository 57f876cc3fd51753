"""Fault 27: who is to be told is down for an hour, slow, or redirects to this machine. Told on the schedule, under one
id, one try at a time, and nowhere else; the clock is the test's."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from daemon.callbacks.post import Post
from daemon.callbacks.schedule import WAITS_S
from daemon.errors import UnknownKey
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Outbound
from daemon.store.callbacks import Callback, CallbackStore, NewCallback, State, Try, insert
from daemon.store.database import Database, open_database
from tests.daemon.test_store_callbacks import ended_job
from tests.fakes.n8n import (
    FINISHED_ALREADY,
    INVALID_TOKEN,
    NOT_MOUNTED,
    RUNNING_ALREADY,
    STARTED,
    TWICE_AT_A_TIME,
    N8n,
    Reply,
    n8n,
)

NEW, OLD = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
BODY = json.dumps({"type": "job.done", "data": {"job_id": "job_1"}})
QUICK = [wait for wait in WAITS_S if wait < 900]


@dataclass
class Office:
    """A post with an outbox and a clock of its own."""

    database: Database
    store: CallbackStore
    post: Post
    time: datetime

    def put(self, url: str, headers: dict[str, str] | None = None) -> None:
        ended_job(self.database, "job_1", self.time)
        with self.database.write() as connection:
            insert(connection, NewCallback("job_1", "key1", "job.done", url, headers or {}, BODY, self.time, self.time))

    def work(self, *, until_s: float) -> list[float]:
        """Carry what is due, moving the clock to each next due time; returns when tries were made, in seconds."""
        begin, made = self.time, list[float]()
        while True:
            callback = self.post.claim()
            if callback is not None:
                made.append((self.time - begin).total_seconds())
                self.post.record(callback, self.post.send(callback))
                continue
            due = self.store.next_due_at(self.post.owner)
            if due is None or (due - begin).total_seconds() > until_s:
                return made
            self.time = max(self.time, due)

    def only(self) -> tuple[Callback, list[Try]]:
        ((callback, tries),) = self.store.of_job("job_1", "key1")
        return callback, tries


def secrets(key_id: str) -> list[str]:
    if key_id != "key1":
        raise UnknownKey
    return [NEW, OLD]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    database = open_database(tmp_path / "vix.db")
    # The signature's time is compared with the real one.
    made = Office(database, None, None, datetime.now(UTC))  # type: ignore[arg-type]
    made.store = CallbackStore(database, lambda: made.time)
    outbound = Outbound(Guard(["127.0.0.3"]), agent="Vix/test")
    made.post = Post(made.store, outbound, secrets, "seat.1", clock=lambda: made.time, draw=lambda: 0.5)
    yield made
    database.close()


@pytest.fixture
def receiver() -> Iterator[N8n]:
    with n8n(host="127.0.0.3") as running:
        yield running


def test_what_n8n_answered_in_the_order_it_was_seen(office: Office, receiver: N8n) -> None:
    """Not ready, then it restarts: refused, not mounted; an execution that fails; then it is told."""
    receiver.replies[:] = [RUNNING_ALREADY, NOT_MOUNTED, NOT_MOUNTED, TWICE_AT_A_TIME, STARTED]
    office.put(f"{receiver.url}/webhook-waiting/38?signature=ab%2Fcd", {"X-Mine": "1"})
    assert office.work(until_s=0) == [0]
    receiver.stop()
    assert office.work(until_s=3.5) == [1, 3]
    receiver.start()
    assert office.work(until_s=3600) == [4, 12, 28, 60]  # 4, 8, 16, 32 s after 3, on the clock of this call
    callback, tries = office.only()
    assert callback.state is State.DONE
    assert [one.status for one in tries] == [409, None, None, 404, 404, 500, 200]
    assert tries[1].message == "No connection: connection refused."
    assert len({one.headers["webhook-id"] for one in receiver.heard}) == 1
    assert receiver.heard[0].headers["webhook-id"] == callback.id
    assert receiver.most_at_a_time == 1


def test_what_arrives(office: Office, receiver: N8n) -> None:
    office.put(f"{receiver.url}/x?signature=ab", {"X-Mine": "1", "Authorization": "Bearer y"})
    assert office.work(until_s=0) == [0]
    (heard,) = receiver.heard
    assert heard.body == BODY.encode()
    assert heard.headers["content-type"] == "application/json"
    assert (heard.headers["x-mine"], heard.headers["authorization"]) == ("1", "Bearer y")
    assert heard.headers["user-agent"] == "Vix/test"
    assert heard.headers["host"] == f"127.0.0.3:{receiver.port}"
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(heard.body, heard.headers) == json.loads(BODY)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/",
            "/?",
            "/?a=b&a=b",
            "/a/../b",
            "/a//b/",
            "/%2e%2E/%2F",
            "/x?y=%2f%2F+%20",
            "/x?signature=ab%3D%3d==",
            "/x??&&=",
        ),
        *("/x?a={b}|c^d`e\"f<g>h'i[j]", "/x;y?z;#", "/%zz%", "/x?a=%C3%A9", "/~!$&'()*+,;=:@", "/x?\\..\\", "/a%00b"),
        *("/x?" + "a" * 4000, "/webhook-waiting/8?signature=" + "0123456789abcdef" * 4),
    ],
)
def test_the_url_arrives_byte_for_byte(office: Office, receiver: N8n, target: str) -> None:
    office.put(receiver.url + target)
    assert office.work(until_s=0) == [0]
    assert [one.target for one in receiver.heard] == [target.partition("#")[0]]
    assert office.only()[0].state is State.DONE


def test_down_for_an_hour(office: Office, receiver: N8n) -> None:
    office.put(f"{receiver.url}/x")
    receiver.stop()
    times = office.work(until_s=3600)
    assert times == [sum(WAITS_S[:n]) for n in range(len(QUICK) + 3)]
    assert times[-1] == sum(QUICK) + 900 + 1800  # 55 minutes
    receiver.start()
    assert office.work(until_s=3 * 86_400) == [7200]
    callback, tries = office.only()
    assert callback.state is State.DONE
    assert len(tries) == len(times) + 1
    assert [one.headers["webhook-id"] for one in receiver.heard] == [callback.id]


def test_down_for_ever(office: Office, receiver: N8n) -> None:
    receiver.stop()
    office.put(f"{receiver.url}/x")
    times = office.work(until_s=30 * 86_400)
    assert len(times) == len(WAITS_S) + 1
    assert 2.5 * 86_400 < times[-1] <= 3 * 86_400
    assert office.only()[0].state is State.FAILED
    # And on request it begins anew.
    receiver.start()
    assert office.store.redeliver("job_1", "key1") == 1
    assert office.work(until_s=0) == [0]
    assert office.only()[0].state is State.DONE


@pytest.mark.parametrize("reply", [INVALID_TOKEN, Reply(410, "gone"), Reply(422, "{}"), Reply(400, "{}")])
def test_what_ends_it(office: Office, receiver: N8n, reply: Reply) -> None:
    receiver.replies[:] = [reply]
    office.put(f"{receiver.url}/x")
    assert office.work(until_s=30 * 86_400) == [0]
    assert office.only()[0].state is State.FAILED
    assert len(receiver.heard) == 1


def test_told_before_is_told(office: Office, receiver: N8n) -> None:
    """The answer to the first try got lost; n8n had heard it."""
    receiver.replies[:] = [TWICE_AT_A_TIME, FINISHED_ALREADY]
    office.put(f"{receiver.url}/x")
    assert office.work(until_s=30 * 86_400) == [0, 1]
    assert office.only()[0].state is State.DONE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(office: Office, receiver: N8n, status: int) -> None:
    with n8n() as on_this_machine:
        receiver.replies[:] = [Reply(status, "", headers=(("location", f"{on_this_machine.url}/x"),))]
        office.put(f"{receiver.url}/x")
        assert office.work(until_s=30 * 86_400) == [0]
        assert on_this_machine.connections == 0
    callback, tries = office.only()
    assert callback.state is State.FAILED
    assert "final URL" in tries[0].message


def test_this_machine_is_not_told(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with n8n() as on_this_machine:
        office.put(f"http://localhost:{on_this_machine.port}/x?token=canary-secret")
        assert office.work(until_s=30 * 86_400) == [0]
        assert on_this_machine.connections == 0
    callback, tries = office.only()
    assert callback.state is State.FAILED
    assert "VIX_PRIVATE_HOSTS" in tries[0].message


def test_retry_after_is_heeded(office: Office, receiver: N8n) -> None:
    late = Reply(429, "{}", headers=(("retry-after", "30"),))
    later = Reply(503, "{}", headers=(("retry-after", "999999"),))
    receiver.replies[:] = [late, later, STARTED]
    office.put(f"{receiver.url}/x")
    assert office.work(until_s=30 * 86_400) == [0, 30, 3630]


def test_a_slow_receiver_is_given_up_on_for_now(office: Office, receiver: N8n) -> None:
    """The deadline of a try is real time, and 15 s in service."""
    receiver.replies[:] = [Reply(200, "{}", after_s=1.5), STARTED]
    patient = office.post
    office.post = replace(patient, try_s=0.3)
    office.put(f"{receiver.url}/x")
    office.work(until_s=0)
    assert [one.status for one in office.only()[1]] == [None]
    office.post = patient
    office.work(until_s=10)
    assert [one.status for one in office.only()[1]] == [None, 200]


def test_a_key_that_is_gone(office: Office, receiver: N8n) -> None:
    with office.database.write() as connection:
        insert(connection, NewCallback("job_1", "key9", "job.done", receiver.url, {}, BODY, office.time, office.time))
    assert office.work(until_s=30 * 86_400) == [0]
    ((callback, tries),) = office.store.of_job("job_1", "key9")
    assert (callback.state, tries[0].status) == (State.FAILED, None)
    assert receiver.connections == 0


def test_no_secret_is_logged(office: Office, receiver: N8n, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "canary-" + "0123456789abcdef"
    receiver.replies[:] = [RUNNING_ALREADY, Reply(500, secret), Reply(302, secret, headers=(("location", secret),))]
    office.put(f"{receiver.url}/{secret}?signature={secret}", {"Authorization": secret})
    office.work(until_s=3600)
    receiver.stop()
    office.store.redeliver("job_1", "key1")
    office.work(until_s=60)
    # peewee tells the values of its statements, which is why the service lets libraries speak from WARNING up only.
    records = [record for record in caplog.records if not record.name.startswith("peewee")]
    assert len(records) >= 4
    for record in records:
        assert secret not in str(vars(record)), record.msg
        assert NEW not in str(vars(record)), record.msg
    callback, tries = office.only()
    assert secret not in str(tries) + repr(callback)


def test_an_hour_is_an_hour_whatever_the_day(office: Office, receiver: N8n) -> None:
    """A clock that is put back makes nothing be sent twice, one that is put forward gives nothing up early."""
    receiver.replies[:] = [RUNNING_ALREADY, RUNNING_ALREADY, STARTED]
    office.put(f"{receiver.url}/x")
    assert office.work(until_s=0) == [0]
    office.time -= timedelta(days=1)
    assert office.work(until_s=3600) == []
    office.time += timedelta(days=400)
    assert office.work(until_s=3600) == [0, 2]
    assert office.only()[0].state is State.DONE
