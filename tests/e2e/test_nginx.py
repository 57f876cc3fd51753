"""The sites that ship, in a real Nginx, before a real API: what passes, what does not, and who is believed."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.service import ROOT, SMALL, Service, eventually, service
from tests.fakes.nginx import DOMAIN, NGINX, Nginx, certificate, nginx
from tests.processes import comes

pytestmark = pytest.mark.skipif(
    not (NGINX and shutil.which("openssl")), reason="nginx or openssl is not here: the sites were not tried"
)
MASTER_KEY = "the master key of this test, which is long"
SHORT = {
    "client_header_timeout 10s;": "client_header_timeout 1s;",
    "client_body_timeout 10s;": "client_body_timeout 1s;",
}
BOUND_S = 30.0  # only bounds a failure


class Site:
    """A service behind Nginx, spoken to as a client in the internet does."""

    def __init__(self, behind: Service, front: Nginx, trusted: Path) -> None:
        self.service = behind
        self.front = front
        self.context = ssl.create_default_context(cafile=str(trusted))

    def ask(self, method: str, path: str, source: str = "127.0.0.1", **options: Any) -> httpx2.Response:
        """One request from one of this machine's addresses, with the key unless it says otherwise."""
        headers = {"Host": DOMAIN, "X-Api-Key": self.service.key, **options.pop("headers", {})}
        transport = httpx2.HTTPTransport(verify=self.context, local_address=source)
        with httpx2.Client(transport=transport, timeout=BOUND_S) as client:
            url = f"https://127.0.0.1:{self.front.ports[443]}{path}"
            kept = {name: value for name, value in headers.items() if value}
            return client.request(method, url, headers=kept, extensions={"sni_hostname": DOMAIN}, **options)

    def connect(self, name: str = DOMAIN, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """A connection that has said nothing yet but a name."""
        context = self.context if name == DOMAIN else ssl._create_unverified_context()
        plain = socket.create_connection(("127.0.0.1", self.front.ports[443]), BOUND_S, source_address=(source, 0))
        return context.wrap_socket(plain, server_hostname=name)

    def download(self) -> str:
        """The path of the film that was made."""
        return f"/v1/download/{self.job['job_id']}.mp4"

    job: dict[str, Any]


@contextmanager
def behind_nginx(folder: Path, library: Path, site: str) -> Iterator[Site]:
    """API and Nginx where the files have them, but below a folder."""
    (folder / "run/vix/api").mkdir(parents=True)
    (folder / "run/vix/hook").mkdir(parents=True)
    trusted = certificate(folder)
    settings = {
        "socket": str(folder / "run/vix/api/socket"),
        "trusted_proxies": "unix",
        "accel_redirect": "/films/",
        "films": str(folder / "var/lib/vix/films"),
        "master_key": MASTER_KEY,
    }
    with (
        service(folder / "service", library, **settings) as behind,
        nginx(ROOT / "nginx" / site, folder, SHORT) as front,
    ):
        behind.start_api()
        yield Site(behind, front, trusted)


@pytest.fixture(scope="module")
def site(library: Path) -> Iterator[Site]:
    """The site for the internet, with one film made; its worker has gone, so that what is asked for then waits."""
    with tempfile.TemporaryDirectory(prefix="vix") as folder, behind_nginx(Path(folder), library, "vix.conf") as made:
        made.service.start_worker()
        job_id = made.ask("POST", "/v1/generate", json={"video": {"duration": 1}, "output": SMALL}).json()["job_id"]
        made.job = made.ask("GET", f"/v1/status/{job_id}?wait=60").json()
        assert made.job["status"] == "done", made.job
        made.service.stop("worker")
        yield made


def test_a_film_is_sent_by_nginx_whole_and_in_ranges(site: Site) -> None:
    path = site.download()
    whole = site.ask("GET", path)
    assert whole.status_code == 200
    film = whole.content
    digest = hashlib.sha256(film).hexdigest()
    assert digest == site.job["result"]["sha256"]
    assert whole.headers["etag"] == f'"{digest}-mp4"'
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == f'attachment; filename="{path.rpartition("/")[2]}"'
    assert whole.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "x-accel-redirect" not in whole.headers
    head = site.ask("HEAD", path)
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(film)), whole.headers["etag"])
    for asked, start, end in (("0-0", 0, 1), ("100-199", 100, 200), ("-50", len(film) - 50, len(film))):
        part = site.ask("GET", path, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, film[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(film)}"
    assert site.ask("GET", path, headers={"Range": f"bytes={len(film)}-"}).status_code == 416
    tagged = {"Range": "bytes=0-9", "If-Range": whole.headers["etag"]}
    assert site.ask("GET", path, headers=tagged).content == film[:10]
    assert site.ask("GET", path, headers=tagged | {"If-Range": '"another"'}).content == film
    assert site.ask("GET", path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    thumbnail = site.ask("GET", path.replace(".mp4", ".jpg"))
    assert (thumbnail.headers["content-type"], thumbnail.content[:2]) == ("image/jpeg", b"\xff\xd8")


def test_nobody_gets_at_the_films_but_through_the_api(site: Site) -> None:
    [stored] = (site.front.root / "var/lib/vix/films").glob("*.mp4")
    for path in (f"/films/{stored.name}", "/films/", "/films", "/films../vix.db", "/films/..%2fvix.db", "/films%2f"):
        assert site.ask("GET", path).status_code in (400, 404), path
    assert site.ask("GET", site.download(), headers={"X-Api-Key": ""}).status_code == 401
    forged = site.ask("GET", "/v1/styles", headers={"X-Accel-Redirect": f"/films/{stored.name}"})
    assert forged.headers["content-type"] == "application/json"


def test_a_signed_link_opens_a_film_and_stays_out_of_the_logs(site: Site) -> None:
    link = site.job["result"]["signed_download_url"]
    assert link.startswith(f"https://{DOMAIN}/v1/download/")
    answer = site.ask("GET", link.partition(DOMAIN)[2], headers={"X-Api-Key": ""})
    assert answer.status_code == 200
    eventually(lambda: site.download() in site.front.log("var/log/nginx/vix.log"), "the download is logged")
    signature = link.rpartition("signature=")[2].partition("&")[0]
    assert len(signature) > 20
    for file in (site.front.root / "var/log/nginx").iterdir():
        assert signature not in file.read_text()


def test_what_is_too_large_is_refused_before_the_api_hears_of_it(site: Site) -> None:
    for path, size in (("/v1/generate", 2**20 + 1), ("/deploy/github", 25 * 2**20 + 1)):
        head = f"POST {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: {size}\r\n\r\n"
        with site.connect() as connection:
            connection.sendall(head.encode())
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413"), answer
        assert b"urn:vix:error:body_too_large" in answer
    assert site.ask("POST", "/v1/generate", content=b" " * 2**20).status_code == 400


def test_events_come_at_once_though_the_stream_goes_on(site: Site) -> None:
    job_id = site.ask("POST", "/v1/generate", json={"video": {"duration": 1}, "output": SMALL}).json()["job_id"]
    request = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Api-Key: {site.service.key}\r\n"
    with site.connect() as connection:
        connection.sendall(f"{request}Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        seen = b""
        while b"event: " not in seen:  # the job waits for a worker that is not there: nothing ends the stream
            piece = connection.recv(65536)
            assert piece, seen
            seen += piece
    assert b"text/event-stream" in seen
    assert b"content-encoding" not in seen.lower()
    assert site.ask("GET", f"/v1/status/{job_id}").json()["status"] == "in_queue"


def test_a_long_wait_is_waited_for(site: Site) -> None:
    job_id = site.ask("POST", "/v1/generate", json={"video": {"duration": 1}, "output": SMALL}).json()["job_id"]
    began = time.monotonic()
    answer = site.ask("GET", f"/v1/status/{job_id}?wait=3")
    assert (answer.status_code, answer.json()["status"]) == (200, "in_queue")
    assert time.monotonic() - began >= 2.9  # longer than a head or a body may take here


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
def test_who_claims_another_address_is_not_believed(site: Site, name: str) -> None:
    headers = {"X-Master-Key": MASTER_KEY, name: "203.0.113.9, 127.0.0.1"}
    assert site.ask("GET", "/admin/keys", source="127.0.0.2", headers=headers).status_code == 200
    audit = site.ask("GET", "/admin/audit", headers={"X-Master-Key": MASTER_KEY})
    assert audit.json()["items"][0]["address"] == "127.0.0.2", audit.text
    assert "203.0.113.9" not in audit.text


def test_slow_clients_are_cut_off(site: Site) -> None:
    head = f"POST /v1/generate HTTP/1.1\r\nHost: {DOMAIN}\r\n".encode()
    with ExitStack() as stack:
        begun = (b"", b"G", head, head + b"X-Long: ", head + b"Content-Length: 1000\r\n\r\n{")
        slow: list[socket.socket] = [stack.enter_context(site.connect()) for _ in begun]
        for connection, sent in zip(slow, begun, strict=True):
            connection.sendall(sent)
        silent, plain = (
            stack.enter_context(socket.create_connection(("127.0.0.1", site.front.ports[port]), BOUND_S))
            for port in (443, 80)
        )
        plain.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert site.ask("GET", "/v1/styles").status_code == 200
        # One of them has not even begun a handshake.
        assert [is_cut(one) for one in (*slow, silent, plain)] == [True] * 7


def is_cut(connection: socket.socket) -> bool:
    """Whether the server ends a connection that we do not end."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "films.example.evil.example", ""])
def test_who_asks_for_another_name_gets_no_answer(site: Site, host: str) -> None:
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    plain = socket.create_connection(("127.0.0.1", site.front.ports[80]), BOUND_S)
    with site.connect("evil.example") as secure, site.connect() as right_name, plain:
        for connection in (secure, right_name, plain):
            connection.sendall(request)
            answer = b""
            with suppress(ConnectionError):
                answer = connection.recv(65536)
            assert answer == b"" or (not host and answer.startswith(b"HTTP/1.1 400")), answer


def test_the_name_in_the_target_counts_and_not_another_in_the_header(site: Site) -> None:
    with site.connect() as connection:
        target = f"GET https://{DOMAIN}/v1/jobs?limit=1 HTTP/1.1\r\nHost: evil.example\r\n"
        connection.sendall(f"{target}X-Api-Key: {site.service.key}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert b"evil.example" not in answer


def test_plain_http_leads_to_https(site: Site) -> None:
    url = f"http://127.0.0.1:{site.front.ports[80]}"
    answer = httpx2.get(f"{url}/v1/jobs?limit=1", headers={"Host": DOMAIN}, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{DOMAIN}/v1/jobs?limit=1")
    challenges = site.front.root / "var/www/html/.well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("proof")
    path = "/.well-known/acme-challenge/token"
    assert httpx2.get(url + path, headers={"Host": DOMAIN}, trust_env=False).text == "proof"


def test_headers_for_browsers_come_once_and_json_comes_small(site: Site) -> None:
    answer = site.ask("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    for name, value in {
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "server": "nginx",
    }.items():
        assert answer.headers.get_list(name) == [value]


def test_who_asks_too_often_is_told_when_to_come_back(site: Site) -> None:
    with site.connect(source="127.0.0.3") as connection:
        connection.sendall(f"HEAD /favicon.ico HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode() * 400)
        seen = b""
        while b"HTTP/1.1 429" not in seen:
            piece = connection.recv(65536)
            assert piece, seen[-500:]
            seen += piece
    assert seen.count(b"HTTP/1.1 404") >= 100
    for _ in range(400):
        refused = site.ask("GET", "/admin/keys", source="127.0.0.4", headers={"X-Master-Key": "wrong"})
        if "too_many_requests" in refused.text and refused.headers.get("retry-after") == "5":
            break
    assert refused.status_code == 429
    assert refused.json()["message"]
    assert site.ask("GET", "/v1/styles").status_code == 200


def test_what_is_not_there_is_told_as_json(site: Site) -> None:
    for method, path in (("POST", "/deploy/github"), ("GET", "/deploy/status"), ("GET", "/deploy/health")):
        answer = site.ask(method, path, source="127.0.0.5")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10"), answer.text
        assert answer.json()["status"] == 503


@pytest.mark.skipif(importlib.util.find_spec("deployhook") is None, reason="there is no deploy hook here")
def test_github_reaches_the_hook(site: Site) -> None:
    secret, folder = "a secret of this test", site.front.root
    names = {"SECRET": secret, "REPOSITORY": "owner/name", "BASE": str(folder / "base"), "STATE": str(folder / "state")}
    names |= {"SOCKET": str(folder / "run/vix/hook/socket"), "CHECKOUT": str(folder)}
    settings = {f"VIX_HOOK_{name}": value for name, value in names.items()}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-P", "-m", "deployhook"]
    with (folder / "hook.log").open("wb") as log:
        hook = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        assert comes(lambda: Path(names["SOCKET"]).exists()), (folder / "hook.log").read_text()
        body = json.dumps({"zen": "Keep it logically awesome.", "repository": {"full_name": "owner/name"}}).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-Hub-Signature-256": signature,
            "Content-Type": "application/json",
        }
        answer = site.ask("POST", "/deploy/github", source="127.0.0.6", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        wrong = site.ask("POST", "/deploy/github", source="127.0.0.6", content=body + b" ", headers=headers)
        assert wrong.status_code == 401
        assert site.ask("GET", "/deploy/status", source="127.0.0.6").status_code == 401  # a proxy calls for others
    finally:
        hook.terminate()
        hook.wait(30)
        Path(names["SOCKET"]).unlink(missing_ok=True)


def test_a_restart_of_the_api_is_told_as_such_and_is_over_with_it(site: Site) -> None:
    site.service.stop("api")
    away = site.ask("GET", "/v1/styles")
    assert (away.status_code, away.json()["type"]) == (503, "urn:vix:error:starting")
    site.service.start_api()
    assert site.ask("GET", "/v1/styles").status_code == 200


def test_at_home_it_is_plain_http_and_links_name_the_port(library: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="vix") as folder,
        behind_nginx(Path(folder), library, "vix-local.conf") as home,
    ):
        [port] = home.front.ports.values()
        headers = {"X-Api-Key": home.service.key}
        url = f"http://127.0.0.1:{port}"
        asked = httpx2.post(f"{url}/v1/generate", json={}, headers=headers, trust_env=False, timeout=BOUND_S)
        assert asked.status_code == 202, asked.text
        assert asked.json()["status_url"].startswith(f"{url}/v1/status/")
        forged = {"X-Master-Key": MASTER_KEY, "X-Forwarded-For": "203.0.113.9"}
        assert httpx2.get(f"{url}/admin/keys", headers=forged, trust_env=False).status_code == 200
