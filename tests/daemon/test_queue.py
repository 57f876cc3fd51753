from __future__ import annotations

import json
import logging
import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from daemon.errors import SettingsError
from daemon.queue import Doorbell
from tests import servers
from tests.daemon.workers import eventually


def stored(path: Path, sql: str) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [bytes(row[0]) for row in connection.execute(sql)]


def put_raw(path: Path, data: bytes) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("insert into task (queue, data, priority) values ('vix', ?, 0)", (data,))


def rings_through(doorbell: Doorbell, heard: list[str], job_id: str) -> None:
    """Ring until it is heard: a ring may be lost while a file is being replaced, the next ones may not."""

    def try_again() -> bool:
        doorbell.ring(job_id)
        time.sleep(0.3)
        return job_id in heard

    eventually(try_again, f"{job_id} is heard")


def test_a_ring_is_heard_in_another_process(queue_url: Path | str) -> None:
    heard: list[str] = []
    script = "import sys; from daemon.queue import Doorbell; Doorbell(sys.argv[1]).ring('job_1')"
    with Doorbell(queue_url).listen(heard.append):
        subprocess.run([sys.executable, "-c", script, str(queue_url)], check=True)
        eventually(lambda: heard == ["job_1"], "the ring is heard")


def test_rings_wait_for_a_listener(queue_url: Path | str) -> None:
    heard: list[str] = []
    doorbell = Doorbell(queue_url)
    for number in range(5):
        doorbell.ring(str(number))
    with doorbell.listen(heard.append):
        eventually(lambda: heard == ["0", "1", "2", "3", "4"], "all are heard in order")
    doorbell.close()


def test_each_ring_is_heard_by_one_of_two_listeners(queue_url: Path | str) -> None:
    heard: list[str] = []
    ringer, first, second = Doorbell(queue_url), Doorbell(queue_url), Doorbell(queue_url)
    with first.listen(heard.append), second.listen(heard.append):
        for number in range(20):
            ringer.ring(f"{number:02}")
        eventually(lambda: len(heard) >= 20, "all are heard")
    assert sorted(heard) == [f"{number:02}" for number in range(20)]
    for doorbell in (ringer, first, second):
        doorbell.close()


def test_ringing_goes_on_after_closing(queue_url: Path | str) -> None:
    heard: list[str] = []
    doorbell = Doorbell(queue_url)
    doorbell.ring("before")
    doorbell.close()
    doorbell.ring("after")
    with doorbell.listen(heard.append):
        eventually(lambda: heard == ["before", "after"], "both are heard")
    doorbell.close()


@pytest.mark.parametrize("form", ["sqlite:{}", "sqlite:///{}"])
def test_ways_to_name_a_file(tmp_path: Path, form: str) -> None:
    Doorbell(form.format(tmp_path / "queue.db")).ring("job_1")
    assert (tmp_path / "queue.db").exists()


def test_tables_that_were_dropped_are_made_again(tmp_path: Path) -> None:
    with servers.fresh_queue("postgresql", tmp_path) as url:
        heard: list[str] = []
        ringing, listening = Doorbell(url), Doorbell(url)
        with listening.listen(heard.append):
            rings_through(ringing, heard, "before")
            servers.run_sql("postgresql", str(url), "DROP TABLE huey_task")
            rings_through(ringing, heard, "after")
        ringing.close()
        listening.close()


@pytest.mark.parametrize("url", ["redis://:geheim@127.0.0.1:1/0", "postgresql://u:geheim@127.0.0.1:1/a"])
def test_a_server_that_is_down_is_two_lines_in_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("redis" if url.startswith("redis") else "psycopg", reason="not installed")
    doorbell = Doorbell(url)  # neither this nor ringing may fail: the API would not start, or not answer
    with caplog.at_level(logging.WARNING):
        doorbell.ring("job_1")
        with doorbell.listen(lambda job_id: None):
            eventually(lambda: "queue_down" in actions(caplog), "the outage is noticed")
            time.sleep(0.6)  # for more tries than one
    assert actions(caplog) == ["ring_lost", "queue_down"]
    assert "geheim" not in caplog.text + str([record.__dict__ for record in caplog.records])


def actions(caplog: pytest.LogCaptureFixture) -> list[object]:
    return [record.__dict__.get("action") for record in caplog.records]


@pytest.mark.parametrize("url", ["redis://u:geheim@h:x/0", "postgresql://u:geheim@h/%zz"])
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    pytest.importorskip("redis" if url.startswith("redis") else "psycopg", reason="not installed")
    with pytest.raises(SettingsError) as caught:
        Doorbell(url)
    assert "geheim" not in str(caught.value)


def test_a_message_is_json_with_a_job_id_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    heard: list[str] = []
    doorbell = Doorbell(path)
    doorbell.ring("job_1")
    (message,) = stored(path, "select data from task")
    told = json.loads(message)
    assert (set(told), told["job"]) == ({"id", "task", "job"}, "job_1")
    with doorbell.listen(heard.append):
        eventually(lambda: heard, "the ring is heard")
    for table in ("task", "kv", "schedule", "counter"):
        assert stored(path, f"select 1 from {table}") == []


def write_witness(path: str) -> None:
    Path(path).touch()


class Bomb:
    """Runs something when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return write_witness, (str(self.path),)


def test_strange_messages_are_thrown_away(tmp_path: Path) -> None:
    path, witness = tmp_path / "queue.db", tmp_path / "witness"
    heard: list[str] = []
    doorbell = Doorbell(path)
    doorbell.ring("job_1")
    bomb = pickle.dumps(Bomb(witness))
    for message in (b"", b"\xff\x00", b"[]", b"{}", bomb, b'{"id": 1, "task": "os.system", "job": "touch x"}'):
        put_raw(path, message)
    doorbell.ring("job_2")
    with doorbell.listen(heard.append):
        eventually(lambda: heard == ["job_1", "job_2"], "the good ones are heard")
    assert not witness.exists()
    pickle.loads(bomb)
    assert witness.exists()


def test_the_file_may_be_deleted(tmp_path: Path) -> None:
    heard: list[str] = []
    ringing, listening = Doorbell(tmp_path / "queue.db"), Doorbell(tmp_path / "queue.db")
    with listening.listen(heard.append):
        rings_through(ringing, heard, "before")
        for file in tmp_path.glob("queue.db*"):
            file.unlink()
        rings_through(ringing, heard, "after")


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_the_file_may_be_ruined(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(content)
    heard: list[str] = []
    doorbell = Doorbell(path)  # neither this nor ringing may fail: the API would not start, or not answer
    with doorbell.listen(heard.append):
        rings_through(doorbell, heard, "job_1")
        path.write_bytes(content)
        rings_through(Doorbell(path), heard, "job_2")


def test_a_ring_that_is_lost_is_logged_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    doorbell = Doorbell(tmp_path / "missing" / "queue.db")
    with caplog.at_level(logging.WARNING, "daemon.queue"):
        doorbell.ring("job_1")
    assert [record.__dict__["action"] for record in caplog.records] == ["ring_lost"]
    (tmp_path / "missing").mkdir()
    heard: list[str] = []
    with doorbell.listen(heard.append):
        rings_through(doorbell, heard, "job_2")


def test_a_locked_file_does_not_hold_the_ringer_up_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    doorbell = Doorbell(path)
    doorbell.ring("job_1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        doorbell.ring("job_2")
        other.execute("rollback")
    assert len(stored(path, "select data from task")) == 1


@pytest.mark.parametrize("url", ["amqp://localhost", "http://localhost/queue", "mysql://localhost/a"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="redis"):
        Doorbell(url)


@pytest.mark.parametrize("url", ["redis://localhost:1/0", "rediss://localhost:1/0", "postgresql://localhost:1/a"])
def test_a_server_without_its_extra_is_a_clear_message(url: str) -> None:
    script = """
import importlib.abc, sys
class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("redis", "psycopg"):
            raise ImportError(name)
sys.meta_path.insert(0, NotInstalled())
from daemon.errors import SettingsError
from daemon.queue import Doorbell
try:
    Doorbell(sys.argv[1])
except SettingsError as exc:
    print(exc)
"""
    said = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True).stdout
    assert "./vix add cluster" in said
    assert "localhost" not in said
