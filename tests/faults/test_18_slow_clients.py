"""Fault 18: clients that connect and say nothing, or a byte at a time, or do not read. Their connections are closed,
and a good client is answered all the while.

Times are small here so that the test is short; what the service itself uses is asserted at the end.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from daemon.web.access import access_rules
from daemon.web.app import create_app
from daemon.web.connection import USUAL, Patience
from daemon.web.server import bound_server
from tests.daemon.web.house import House, opened, running, services_at

PATIENCE = Patience(head_s=1.0, idle_s=1, read_s=1.5)
# Only bounds a failure.
LONG_S = 60.0
FILM_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose usual server stands beside a short-tempered one."""
    services = services_at(tmp_path_factory.mktemp("house"))
    with opened(services, []) as patient:
        server = bound_server(create_app(services), "127.0.0.1", 0, patience=PATIENCE)
        with running(services, server) as impatient, ExitStack() as stack:
            client = httpx2.Client(base_url=impatient.url, headers={"X-Api-Key": patient.key}, trust_env=False)
            client = stack.enter_context(client)
            yield House(services, impatient, patient.key, client, client, client, [])


def connect(house: House, sent: bytes = b"", source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
    """Connect from an address, perhaps with a small buffer for what comes back."""
    host, port = house.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.settimeout(LONG_S)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.bind((source, 0))
    connection.connect((host, int(port)))
    connection.sendall(sent)
    return connection


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Whether the server ends the connection within some time; what it says before is thrown away."""
    until = time.monotonic() + within_s
    while (left_s := until - time.monotonic()) > 0:
        if select.select([connection], [], [], left_s)[0]:
            try:
                if not connection.recv(65536):
                    return True
            except ConnectionError:
                return True
    return False


def trickle(connection: socket.socket, text: bytes) -> bool:
    """Send a byte every twentieth of a second; whether the server ended it before the text did."""
    for byte in text:
        if is_closed(connection, 0.05):
            return True
        with suppress(ConnectionError):
            connection.send(bytes([byte]))
    return False


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "])
def test_who_says_nothing_more_is_hung_up_on(house: House, sent: bytes) -> None:
    with connect(house, sent) as connection:
        assert is_closed(connection, LONG_S)


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"])
def test_a_head_byte_by_byte_is_hung_up_on(house: House, before: bytes) -> None:
    with connect(house, before) as connection:
        assert trickle(connection, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * int(LONG_S * 20))


def test_who_keeps_a_connection_without_using_it_is_hung_up_on(house: House) -> None:
    with connect(house, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert b" 200 " in connection.recv(65536)
        assert is_closed(connection, LONG_S)


def test_the_body_of_a_refused_request_does_not_hold_a_connection(house: House) -> None:
    head = b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with connect(house, head) as connection:
        assert trickle(connection, b"{" * int(LONG_S * 20))


def test_who_does_not_read_an_answer_is_hung_up_on(house: House) -> None:
    path = film_of(house, FILM_BYTES)
    with ask(house, path) as connection:
        assert gone(house, connection)
        with suppress(ConnectionError):
            received = 0
            while piece := connection.recv(2**20):
                received += len(piece)
            assert received < FILM_BYTES


def gone(house: House, connection: socket.socket) -> bool:
    """Whether the server has let go of a connection that its client does not read from."""
    name, until = connection.getsockname(), time.monotonic() + LONG_S
    while time.monotonic() < until:
        if name not in {getattr(one, "client", None) for one in list(house.server.server_state.connections)}:
            return True
        time.sleep(0.05)
    return False


def test_a_request_that_takes_long_is_not_cut(house: House) -> None:
    job_id = house.submit()["job_id"]
    wait_s = 2 * max(PATIENCE.head_s, PATIENCE.idle_s)
    begun_s = time.monotonic()
    answer = house.client.get(f"/v1/status/{job_id}?wait={wait_s}", timeout=LONG_S)
    assert (answer.status_code, answer.json()["status"]) == (200, "in_queue")
    assert time.monotonic() - begun_s >= wait_s
    house.jobs.cancel(job_id, None)


def test_idle_connections_keep_nobody_out(house: House) -> None:
    """Whoever has been idle longest makes room, long before a deadline comes."""
    lasting = Patience(head_s=300, idle_s=300, read_s=300, connections=20)
    server = bound_server(create_app(house.services), "127.0.0.1", 0, patience=lasting)
    with running(house.services, server), ExitStack() as stack:
        crowd = replace(house, server=server)
        idle = []
        for _ in range(3 * lasting.connections):
            idle.append(stack.enter_context(connect(crowd)))
            if len(idle) % 5 == 0:
                with httpx2.Client(base_url=server.url, trust_env=False, timeout=LONG_S) as fresh:
                    assert fresh.get("/v1/styles", headers={"X-Api-Key": house.key}).status_code == 200
        assert len(server.server_state.connections) <= lasting.connections
        assert all(is_closed(connection, LONG_S) for connection in idle[: 2 * lasting.connections])


def ask(house: House, path: str, more: str = "", **options: Any) -> socket.socket:
    """Send a whole request with the key, and read nothing of the answer, which has begun to come."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {house.key}\r\n{more}\r\n"
    connection = connect(house, head.encode(), **options)
    assert select.select([connection], [], [], LONG_S)[0]
    return connection


def film_of(house: House, size_bytes: int) -> str:
    """Have a film; its path."""
    job_id = house.submit()["job_id"]
    house.finish(job_id, b"film")
    with (house.films / f"{house.jobs.get(job_id).film}.mp4").open("wb") as file:
        file.truncate(size_bytes)
    return f"/v1/download/{job_id}.mp4"


@contextmanager
def lasting(house: House, **limits: Any) -> Iterator[House]:
    """The same behind a server whose deadlines never come."""
    patience = Patience(head_s=300, idle_s=300, read_s=300, **limits)
    server = bound_server(create_app(house.services), "127.0.0.1", 0, patience=patience)
    with running(house.services, server):
        yield replace(house, server=server)


def test_who_does_not_read_the_end_of_an_answer_is_hung_up_on(house: House) -> None:
    """Whatever is left when the answer is written and the connection closed: some of these sizes leave a little."""
    path = film_of(house, FILM_BYTES)
    house.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
    with ExitStack() as stack:
        held = [
            stack.enter_context(
                ask(house, path, f"Connection: close\r\nRange: bytes=0-{size}\r\n", receive_bytes=2**12)
            )
            for size in range(2**16, 2**20, 2**16)
        ]
        assert all(gone(house, connection) for connection in held)


def test_who_reads_slowly_is_not_cut_off(house: House) -> None:
    """The server cannot go on writing for more than twice as long as its patience, and yet the client reads."""
    path, size_bytes = film_of(house, FILM_BYTES), 2**22
    house.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    with ask(house, path, f"Connection: close\r\nRange: bytes=0-{size_bytes - 1}\r\n", receive_bytes=2**13) as slow:
        received, until = b"", time.monotonic() + 2.5 * PATIENCE.read_s
        while piece := slow.recv(2**11):
            received += piece
            time.sleep(0.05 if time.monotonic() < until else 0)
    assert len(received.partition(b"\r\n\r\n")[2]) == size_bytes


def test_those_who_do_not_read_keep_nobody_out(house: House) -> None:
    path = film_of(house, FILM_BYTES)
    with lasting(house, connections=20) as crowded, ExitStack() as stack:
        held = [stack.enter_context(ask(crowded, path)) for _ in range(40)]
        with httpx2.Client(base_url=crowded.url, trust_env=False, timeout=LONG_S) as fresh:
            assert fresh.get("/v1/styles", headers={"X-Api-Key": house.key}).status_code == 200
        # The first ones are those that have not read for longest.
        assert gone(crowded, held[0])
        assert len(crowded.server.server_state.connections) <= 20


def uploading(house: House, **options: Any) -> socket.socket:
    """A connection that is at work: a body is awaited."""
    head = f"POST /v1/generate HTTP/1.1\r\nHost: x\r\nX-Api-Key: {house.key}\r\nContent-Length: 10\r\n"
    connection = connect(house, f"{head}Expect: 100-continue\r\n\r\n".encode(), **options)
    assert b" 100 " in connection.recv(65536)
    return connection


def test_one_address_keeps_no_other_out(house: House) -> None:
    with lasting(house, connections=20, per_address=5, exempt=()) as crowded, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(uploading(crowded))
        with stack.enter_context(ask(crowded, "/v1/styles")).makefile("rb") as answer:
            refused = answer.read()
        head, _, body = refused.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in head.lower()
        assert b"connection: close" in head.lower()
        assert json.loads(body)["type"] == "urn:vix:error:too_many_connections"
        elsewhere = stack.enter_context(ask(crowded, "/v1/styles", source="127.0.0.2"))
        assert elsewhere.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_proxy_may_have_all_connections(house: House) -> None:
    trusting = replace(house.services, access=access_rules(trusted_proxies=["127.0.0.1"]))
    with lasting(replace(house, services=trusting), per_address=5, exempt=()) as crowded, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(uploading(crowded))
        assert stack.enter_context(ask(crowded, "/v1/styles")).recv(65536).startswith(b"HTTP/1.1 200")


def test_when_all_are_at_work_a_new_one_is_told_so(house: House) -> None:
    with lasting(house, connections=5) as crowded, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(uploading(crowded))
        assert stack.enter_context(ask(crowded, "/v1/styles")).recv(65536).startswith(b"HTTP/1.1 503")


def test_what_the_service_itself_allows() -> None:
    assert (USUAL.head_s, USUAL.idle_s, USUAL.read_s) == (10.0, 15, 15.0)
    assert (USUAL.connections, USUAL.per_address) == (500, 50)
