"""The hook as GitHub and others meet it: a running process, real signatures, and files on the disk."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.deployhook.yard import SECRET, Hook, call, hook, push_payload, signature
from tests.processes import comes

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base folder in which COMMIT is live, and a remote that has one commit, which nobody deploys here."""
    base, origin = tmp_path / "base", tmp_path / "origin.git"
    (base / "deploys").mkdir(parents=True)
    (base / "releases" / COMMIT).mkdir(parents=True)
    (base / "current").symlink_to(f"releases/{COMMIT}")
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    (base / "repo").symlink_to(origin)
    return base


@pytest.fixture
def running(base: Path) -> Iterator[Hook]:
    """A hook whose remote has no branch, so that it asks for nothing by itself."""
    with hook(base, REMOTE=str(base / "repo")) as running:
        yield running


def requested(base: Path) -> dict[str, object] | None:
    """What the request says; None where nobody has asked."""
    path = base / "deploys" / "request"
    found: dict[str, object] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def record(base: Path, name: str, **fields: str) -> None:
    """Write what deploy.sh does of a deploy that has taken the request."""
    folder = base / "deploys" / name
    folder.mkdir()
    if (base / "deploys" / "request").exists():
        (base / "deploys" / "request").rename(folder / "request")
    lines = {"kind": "deploy", "commit": COMMIT} | fields
    (folder / "record").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    (folder / "log").write_text("a line of the log\n")


def test_a_push_asks_for_a_deploy(running: Hook, base: Path) -> None:
    began = time.monotonic()
    answer = running.send(push_payload(COMMIT), delivery="delivery-1")
    assert answer.status == 202
    assert answer.body == {"status": "accepted", "message": "A deploy of main was asked for."}
    assert time.monotonic() - began < 10  # GitHub's patience
    asked = requested(base)
    assert asked is not None
    assert asked | {"reason": "push", "deliveries": ["delivery-1"]} == asked
    assert sorted(os.listdir(base / "deploys")) == ["deliveries.json", "request"]


def test_a_form_asks_as_well(running: Hook, base: Path) -> None:
    body = urlencode({"payload": push_payload(COMMIT).decode()}).encode()
    assert running.send(body, content_type="application/x-www-form-urlencoded").status == 202
    assert requested(base)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x_hub_signature_256": ""}, 401, "bad_signature"),
        (
            {"x_hub_signature_256": signature(push_payload(COMMIT), "another secret, just as long")},
            401,
            "bad_signature",
        ),
        ({"x_hub_signature_256": signature(push_payload(COMMIT) + b" ")}, 401, "bad_signature"),
        ({"x_hub_signature_256": "sha1=" + "0" * 40}, 401, "bad_signature"),
        ({"content_type": "text/plain"}, 415, "wrong_content_type"),
        ({"x_github_delivery": ""}, 400, "not_readable"),
        ({"x_github_delivery": "../../../etc/passwd"}, 400, "not_readable"),
        ({"x_github_event": ""}, 400, "not_readable"),
    ],
)
def test_what_is_refused(running: Hook, base: Path, headers: dict[str, str], status: int, code: str) -> None:
    answer = running.send(push_payload(COMMIT), **headers)
    assert (answer.status, answer.body["type"]) == (status, f"urn:vix:error:{code}")
    assert answer.body["message"] == answer.body["detail"]
    assert requested(base) is None
    assert SECRET not in json.dumps(answer.body) + running.log.read_text()
    assert "Traceback" not in running.log.read_text()


@pytest.mark.parametrize(
    ("event", "changes", "said"),
    [
        ("ping", {}, "pong"),
        ("issues", {}, "ignored"),
        ("push", {"ref": "refs/heads/other"}, "ignored"),
        ("push", {"ref": "refs/tags/v1"}, "ignored"),
        ("push", {"deleted": True, "after": "0" * 40}, "ignored"),
        ("push", {"repository": {"full_name": "owner/other"}}, "ignored"),
    ],
)
def test_what_is_heard_and_left_at_that(
    running: Hook, base: Path, event: str, changes: dict[str, object], said: str
) -> None:
    answer = running.send(push_payload(COMMIT, **changes), event)
    assert (answer.status, answer.body["status"]) == (200, said)
    assert requested(base) is None


def test_payload_text_is_nowhere_but_in_files(running: Hook, base: Path) -> None:
    evil = "$(touch pwned); ../../pwned\n`touch pwned`"
    body = push_payload(COMMIT, pusher={"name": evil}, before=evil, compare=evil, head_commit={"message": evil})
    assert running.send(body).status == 202
    assert "pwned" not in (base / "deploys" / "request").read_text()
    assert not [path for path in base.rglob("*") if "pwned" in path.name]
    assert running.status()["deliveries"][0]["pusher"] == evil.replace("\n", "")


def test_a_delivery_is_acted_on_once_unless_it_failed(running: Hook, base: Path) -> None:
    def send() -> tuple[int, str]:
        answer = running.send(push_payload(COMMIT), delivery="delivery-1")
        return answer.status, answer.body["status"]

    assert send() == (202, "accepted")
    assert send() == (200, "pending")
    record(base, "20260101T000001Z-1", outcome="running")
    with open(base / "deploys" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert send() == (200, "pending")
    assert send() == (202, "accepted")  # that deploy was killed
    record(base, "20260101T000002Z-1", outcome="failed")
    assert send() == (202, "accepted")
    assert requested(base)
    record(base, "20260101T000003Z-1", outcome="done")
    assert send() == (200, "done")
    assert requested(base) is None


def test_memory_outlives_the_hook(base: Path) -> None:
    for expected in (202, 200):
        with hook(base, REMOTE=str(base / "repo")) as running:
            assert running.send(push_payload(COMMIT), delivery="delivery-1").status == expected


def test_a_request_names_all_that_nobody_has_taken(running: Hook, base: Path) -> None:
    running.send(push_payload(COMMIT), delivery="delivery-1")
    running.send(push_payload(COMMIT), delivery="delivery-2")
    asked = requested(base)
    assert asked is not None
    assert asked["deliveries"] == ["delivery-1", "delivery-2"]


def test_a_body_that_is_too_large_is_not_read(running: Hook) -> None:
    where = urlsplit(running.url)
    head = b"POST /deploy/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=30) as client:
        client.sendall(head + b"Content-Length: 26214401\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection((where.hostname, where.port), timeout=30) as client:
        client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        answered = b""
        try:
            for _ in range(40):
                client.sendall(chunk)
        except ConnectionError:
            pass
        client.settimeout(30)
        try:
            answered = client.recv(1000)
        except ConnectionError:
            answered = b"HTTP/1.1 413 (cut off)"
        assert answered.startswith(b"HTTP/1.1 413 ")
    assert running.rss_mb < 120


def test_many_large_bodies_at_once_do_not_take_the_memory(running: Hook) -> None:
    where = urlsplit(running.url)
    head = (
        b"POST /deploy/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 26000000\r\n\r\n"
    )
    clients = [socket.create_connection((where.hostname, where.port), timeout=5) for _ in range(8)]
    most_mb = 0.0
    try:
        for client in clients:
            try:
                client.sendall(head)
                for _ in range(20):
                    client.sendall(bytes(1_000_000))
            except OSError:
                continue  # refused
            most_mb = max(most_mb, running.rss_mb)
        assert 0 < most_mb < 150  # eight of them would be 160 alone
        for client in clients:
            client.close()
        assert comes(lambda: running.send(push_payload(COMMIT), "ping").status == 200)
    finally:
        for client in clients:
            client.close()


def test_a_body_that_does_not_come_is_not_waited_for(running: Hook) -> None:
    where = urlsplit(running.url)
    with socket.create_connection((where.hostname, where.port), timeout=60) as client:
        client.sendall(
            b"POST /deploy/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/deploy/github", 405), ("GET", "/x", 404)])
def test_other_paths_and_methods(running: Hook, method: str, path: str, status: int) -> None:
    answer = call(running.url + path)
    assert answer.status == status
    assert answer.body["message"]


def test_the_disk_is_full_or_read_only(running: Hook, base: Path) -> None:
    (base / "deploys" / "request.part").mkdir()
    (base / "deploys" / "request.part" / "x").touch()
    answer = running.send(push_payload(COMMIT), delivery="delivery-1")
    assert (answer.status, answer.body["type"]) == (507, "urn:vix:error:state_unwritable")
    (base / "deploys" / "request.part" / "x").unlink()
    (base / "deploys" / "request.part").rmdir()
    assert running.send(push_payload(COMMIT), delivery="delivery-1").status == 202


def test_status_tells_how_it_went_and_who_asked(running: Hook, base: Path) -> None:
    running.send(push_payload(COMMIT), delivery="delivery-1")
    record(base, "20260101T000001Z-1", outcome="failed", reason="It is bad.")
    said = running.status()
    assert said["commit"] == COMMIT
    assert said["deploys"][0]["outcome"] == "failed"
    assert said["deploys"][0]["reason"] == "It is bad."
    assert said["deploys"][0]["log_tail"] == ["a line of the log"]
    assert said["deploys"][0]["asked_by"][0]["pusher"] == "somebody"
    assert said["deliveries"][0]["outcome"] == "failed"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_status_is_not_for_those_behind_a_proxy(running: Hook, header: str) -> None:
    assert call(running.url + "/deploy/status", headers={header: "127.0.0.1"}).status == 401
    assert call(running.url + "/deploy/status").status == 200


def test_status_with_a_token(base: Path) -> None:
    with hook(base, REMOTE=str(base / "repo"), STATUS_TOKEN=TOKEN) as running:
        url = running.url + "/deploy/status"
        for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Bearer {SECRET}"):
            answer = call(url, headers={"Authorization": wrong} if wrong else {})
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        right = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "192.0.2.1"}
        assert call(url, headers=right).status == 200


def test_health_is_for_anybody_and_names_no_path(running: Hook, base: Path) -> None:
    assert comes(lambda: call(running.url + "/health").status == 503)  # the remote has no branch
    answer = call(running.url + "/health", headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.body["commit"] == COMMIT
    assert answer.body["checks"]["state"]["ok"] is True
    assert str(base) not in json.dumps(answer.body)


def test_a_unix_socket(base: Path) -> None:
    path = base / "socket"
    for _ in range(2):  # the second finds the socket of the first
        with hook(base, REMOTE=str(base / "repo"), SOCKET=str(path)), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            assert comes(lambda: client.connect_ex(str(path)) == 0)
            client.sendall(b"GET /deploy/status HTTP/1.0\r\n\r\n")
            assert b" 200 " in client.recv(1000).splitlines()[0]
        assert path.stat().st_mode & 0o777 == 0o660


def test_a_taken_port_is_a_sentence(running: Hook, base: Path) -> None:
    with pytest.raises(AssertionError, match="cannot listen there"), hook(base, PORT=running.url.rsplit(":")[-1]):
        pass


def test_it_is_small(running: Hook) -> None:
    running.send(push_payload(COMMIT))
    print(f"{running.rss_mb:.1f} MB")
    assert running.rss_mb < 40
