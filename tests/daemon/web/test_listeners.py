"""The unix socket that a proxy reaches the API by: for its group, never two on one, and anew after a kill."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from daemon.web.access import access_rules
from daemon.web.app import create_app
from daemon.web.listeners import unix_listener
from daemon.web.server import WebServer
from tests.daemon.web.house import MASTER_KEY, running, services_at


def asking(path: Path) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path)), base_url="http://films.example", timeout=30)


def test_requests_come_in_and_are_from_whom_the_proxy_says(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    services = replace(services_at(tmp_path), access=access_rules(MASTER_KEY, trusted_proxies=["unix"]))
    server = WebServer(create_app(services), unix_listener(path))
    assert server.url == f"unix:{path}"
    with running(services, server), asking(path) as client:
        assert client.get("/health").json()["status"]
        key = {"X-Master-Key": MASTER_KEY}
        assert client.get("/admin/keys", headers=key).status_code == 403  # from nobody knows where
        assert client.get("/admin/keys", headers=key | {"X-Forwarded-For": "192.0.2.1"}).status_code == 403
        near = client.get("/admin/audit", headers=key | {"X-Forwarded-For": "127.0.0.1"})
        assert near.status_code == 200
        assert "192.0.2.1" in near.text


def test_nobody_is_believed_who_is_not_named(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    services = replace(services_at(tmp_path), access=access_rules(MASTER_KEY, trusted_proxies=["0.0.0.0/0", "::/0"]))
    with running(services, WebServer(create_app(services), unix_listener(path))), asking(path) as client:
        headers = {"X-Master-Key": MASTER_KEY, "X-Forwarded-For": "127.0.0.1"}
        assert client.get("/admin/keys", headers=headers).status_code == 403


def test_a_proxy_may_have_more_connections_than_a_client(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    services = services_at(tmp_path)
    with running(services, WebServer(create_app(services), unix_listener(path))):
        held = [socket.socket(socket.AF_UNIX) for _ in range(60)]
        for one in held:
            one.connect(str(path))
            one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        assert {one.recv(12) for one in held} == {b"HTTP/1.1 200"}
        for one in held:
            one.close()


def test_the_group_may_open_it_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o077, 0o000):
        before = os.umask(umask)
        try:
            with unix_listener(tmp_path / f"socket{umask}"):
                assert stat.S_IMODE((tmp_path / f"socket{umask}").stat().st_mode) == 0o660
        finally:
            os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["socket0", "socket63"]


def test_what_a_dead_one_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    unix_listener(path).close()
    with unix_listener(path) as bound, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        bound.accept()[0].close()


def test_two_do_not_share_one(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with unix_listener(path), pytest.raises(OSError, match="in use"):
        unix_listener(path)


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(OSError, match="in use"):
        unix_listener(tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "x"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        unix_listener(tmp_path / "no" / "socket")
