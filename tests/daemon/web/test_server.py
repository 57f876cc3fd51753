"""The server as a process: it says where it is, stops when told, and survives what clients do to it."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest

from daemon.web.bodies import MAX_BODY_BYTES, MAX_VALUES
from daemon.web.connection import Seldom
from daemon.web.server import bound_server
from tests.daemon.web.house import House, running

PROGRAM = """
import sys
from pathlib import Path
from daemon.web.app import create_app
from daemon.web.connection import Seldom
from daemon.web.server import serve
from tests.daemon.web.house import services_at
serve(create_app(services_at(Path(sys.argv[1]))), "127.0.0.1", 0, on_ready=lambda url: print(url, flush=True))
"""

KEYED_PROGRAM = PROGRAM.replace(
    "serve(create_app(services_at(Path(sys.argv[1]))),",
    "services = services_at(Path(sys.argv[1]))\n"
    'print(services.keys.create("one")[1], flush=True)\n'
    "serve(create_app(services),",
)


def talk(house: House, request: bytes) -> bytes:
    """Send bytes on a connection of its own and read until the server closes it."""
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        with suppress(ConnectionResetError):  # when it hangs up with something unread
            while piece := connection.recv(65536):
                received += piece
        return received


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_process_serves_until_a_signal(tmp_path: Path, stop: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert httpx2.get(url, timeout=10).json()["service"] == "vix"
        process.send_signal(stop)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def memory_peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def bloated_bodies() -> list[bytes]:
    """Bodies just below the largest size, and one just below the largest number of values, that all go wrong."""
    many = json.dumps({f"f{i:05}": 1 for i in range(80_000)})
    deep = json.dumps({"client_data": [[[[0]]]] * 90_000})
    inner = json.dumps({"text_overlays": [{f"f{i:05}": 1 for i in range(80_000)}]})
    allowed = json.dumps({f"f{i:05}": "x" * 85 for i in range(MAX_VALUES - 1)})
    return [text.encode() for text in (many, deep, inner, allowed)]


def test_bloated_bodies_take_no_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEYED_PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout is not None
        key, url = (process.stdout.readline().strip() for _ in range(2))
        post = partial(httpx2.post, url + "/v1/generate", headers={"X-Api-Key": key}, timeout=120, trust_env=False)
        assert post(json={}).status_code == 202
        before = memory_peak_mb(process.pid)
        for body in bloated_bodies():
            assert 800_000 < len(body) < MAX_BODY_BYTES
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda body: post(content=body), [body] * 16))
            assert {answer.status_code for answer in answers} == {422}
            print(f"{memory_peak_mb(process.pid) - before:.0f} MB more")
        assert memory_peak_mb(process.pid) - before < 150


def test_those_who_wait_are_answered_when_the_server_stops(house: House) -> None:
    job_id = house.submit()["job_id"]
    said: list[str] = []
    with running(house.services) as second:
        client = httpx2.Client(base_url=second.url, headers={"X-Api-Key": house.key}, timeout=60)
        waiting = threading.Thread(
            target=lambda: said.append(client.get(f"/v1/status/{job_id}?wait=60").json()["status"])
        )
        waiting.start()
        while not second.server_state.tasks:
            time.sleep(0.01)
    waiting.join(30)
    client.close()
    assert said == ["in_queue"]


def test_a_taken_port_is_an_error_of_the_caller(shared: House) -> None:
    port = int(shared.url.rpartition(":")[2])
    with pytest.raises(OSError, match="use"):
        bound_server(shared.app, "127.0.0.1", port)


def test_the_url_can_be_reached_whatever_is_listened_on(shared: House) -> None:
    for host, reached in (("0.0.0.0", "127.0.0.1"), ("localhost", None), ("::1", "[::1]"), ("::", "[::1]")):
        try:
            server = bound_server(shared.app, host, 0)
        except OSError:
            assert ":" in host, "only a machine without IPv6 may refuse"
            continue
        with running(shared.services, server) as second:
            assert reached is None or second.url.startswith(f"http://{reached}:")
            assert httpx2.get(second.url, timeout=10).status_code == 200


def test_answers_are_not_held_back_for_acknowledgements(shared: House) -> None:
    listener = shared.server.servers[0].sockets[0]
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_answers_name_no_server_and_carry_a_date(shared: House) -> None:
    headers = shared.nobody.get("/").headers
    assert "server" not in headers
    assert "date" in headers


@pytest.mark.parametrize(
    "request_", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_400(shared: House, request_: bytes) -> None:
    head, _, body = talk(shared, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    said = json.loads(body)
    assert (said["type"], said["status"], said["message"]) == ("urn:vix:error:not_http", 400, said["detail"])
    assert shared.nobody.get("/").status_code == 200


def test_no_http_behind_a_request_does_not_break_its_answer(shared: House) -> None:
    answer = talk(shared, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_strangers_do_not_fill_the_log() -> None:
    now_s = 0.0
    seldom = Seldom(every_s=60, clock=lambda: now_s)

    def passes(message: str, level: int = logging.WARNING) -> bool:
        return bool(seldom.filter(logging.makeLogRecord({"msg": message, "levelno": level})))

    assert [passes("no HTTP"), passes("no HTTP"), passes("too many"), passes("no HTTP")] == [True, False, True, False]
    assert passes("broken", logging.ERROR)
    assert passes("broken", logging.ERROR)
    now_s = 60.0
    assert [passes("no HTTP"), passes("no HTTP")] == [True, False]


def test_what_is_no_http_is_logged_once_a_minute(shared: House, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        talk(shared, b"\x00\r\n\r\n")
    assert len([record for record in caplog.records if "Invalid HTTP" in record.message]) <= 1


def test_an_upgrade_is_answered_as_a_plain_request(shared: House) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    assert b" 200 " in talk(shared, request).partition(b"\r\n")[0]


def test_a_client_of_http_1_0_without_a_host(shared: House) -> None:
    answer = talk(shared, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert f"{shared.url}/health".encode() in answer


def test_a_body_that_ends_too_early_harms_nobody(shared: House) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v1/generate HTTP/1.1\r\nHost: x\r\nX-Api-Key: {shared.key}\r\nContent-Length: 10\r\n\r\n{{"
        connection.sendall(head.encode())
    assert shared.client.get("/v1/styles").status_code == 200
    assert not shared.views.waiting()
