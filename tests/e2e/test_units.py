"""API and worker as their unit files start them, by a stand-in for systemd: a film, an end, kills, hangs, deploys."""

from __future__ import annotations

import ctypes.util
import hmac
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from render import landlock
from tests.e2e.service import ROOT, SMALL
from tests.fakes.systemd import Manager, Service, manager
from tests.fakes.unit_file import UnitFile
from tests.processes import comes

API, WORKER = "vix-api.service", "vix-worker.service"
MASTER_KEY = "the master key of this test, which is long"
QUICK = dict.fromkeys((API, WORKER), "[Service]\nRestartSec=100ms\n")
IMPATIENT = {name: f"{text}WatchdogSec=5s\n" for name, text in QUICK.items()}
HAS_FILTER = bool(shutil.which("systemd-analyze") and ctypes.util.find_library("seccomp"))


@pytest.fixture
def root(library: Path) -> Iterator[Path]:
    """A machine where Vix is installed, as a folder with a short name: that of a socket must not be long."""
    with tempfile.TemporaryDirectory(prefix="vix") as folder:
        root = Path(folder)
        for name in ("opt/vix/releases/one", "etc/vix", "var/lib/vix-deploy", "run"):
            (root / name).mkdir(parents=True)
        (root / "opt/vix/current").symlink_to("releases/one")
        (root / "opt/vix/current/vix").symlink_to(ROOT / "vix")
        settings = {"VIX_LIBRARY": library, "VIX_FONTS_ONLINE": 0, "VIX_LEASE_S": 6, "VIX_STOP_S": 20}
        (root / "etc/vix/vix.env").write_text("# for both\n" + "".join(f"{k}={v}\n" for k, v in settings.items()))
        (root / "etc/vix/master-key").write_text(MASTER_KEY + "\n")
        for name in ("secret", "vault-key"):
            (root / "etc/vix" / name).write_text("5" * 64)
        (root / "var/lib/vix").mkdir(parents=True)
        shutil.copy(library.parent / "catalogue.json", root / "var/lib/vix")
        yield root


@pytest.fixture
def machine(root: Path) -> Iterator[Manager]:
    """Its systemd, which starts again sooner than the files say."""
    with manager(ROOT / "systemd", root, QUICK) as made:
        yield made


class Client:
    """What Nginx is for the API: it opens the socket, and says who calls."""

    def __init__(self, root: Path) -> None:
        transport = httpx2.HTTPTransport(uds=str(root / "run/vix/api/socket"))
        headers = {"X-Forwarded-For": "127.0.0.1", "X-Master-Key": MASTER_KEY}
        self._http = httpx2.Client(transport=transport, base_url="http://films.example", headers=headers, timeout=90)

    def __enter__(self) -> Client:
        made = self.ask("POST", "/admin/keys", json={"name": "test"})
        self._http.headers["X-Api-Key"] = made["key"]
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._http.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def submit(self, seconds: float = 1) -> str:
        return str(self.ask("POST", "/v1/generate", json={"video": {"duration": seconds}, "output": SMALL})["job_id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.ask("GET", f"/v1/status/{job_id}", params={"wait": 60})

    def film(self, job_id: str) -> httpx2.Response:
        return self._http.get(f"/v1/download/{job_id}.mp4")


def again(service: Service, restarts: int = 1) -> Callable[[], bool]:
    return lambda: service.restarts == restarts and service.state == "active"


@pytest.mark.parametrize("is_confined", [False, True], ids=["free", "confined"])
def test_a_film_is_made_and_both_end_when_asked(root: Path, is_confined: bool) -> None:
    if is_confined and not HAS_FILTER:
        pytest.skip("systemd-analyze or libseccomp is not here: the units' filters of system calls were not tried")
    with manager(ROOT / "systemd", root, QUICK, is_confined=is_confined) as machine:
        api, worker = machine.start(API), machine.start(WORKER)
        with Client(root) as client:
            job = client.ended(client.submit())
            assert job["status"] == "done", (job, worker.log.read_text())
            preview = {"output": SMALL, "text_overlays": [{"text": "Hello"}]}
            assert client._http.post("/v1/preview", json=preview).status_code == 200, api.log.read_text()
            told = client.film(job["job_id"])  # by whoever opens the socket, as Nginx does
            health = client.ask("GET", "/health")
        assert told.content == b""
        film = root / "var/lib/vix" / told.headers["x-accel-redirect"].lstrip("/")
        assert film.read_bytes()[4:8] == b"ftyp"
        for folder, mode in (("var/lib/vix", 0o710), ("var/lib/vix/films", 0o710), ("run/vix/api", 0o750)):
            assert (root / folder).stat().st_mode & 0o777 == mode
        assert film.stat().st_mode & 0o777 == 0o640
        assert (root / "var/lib/vix/vix.db").stat().st_mode & 0o777 == 0o600
        assert (
            health["checks"]["ffmpeg"]["message"].endswith(f"Landlock version {landlock.abi()}") or not landlock.abi()
        )
        machine.stop(WORKER)
        machine.stop(API)
        assert (api.ended_with, worker.ended_with) == ([0], [0])
        for service in (api, worker):
            assert service.heard[0] in ("READY=1", "WATCHDOG=1")
            assert service.heard[-1] == "STOPPING=1"
            assert MASTER_KEY not in service.log.read_text()


def test_the_hook_asks_for_a_deploy_and_reaches_nothing_else(root: Path) -> None:
    if not HAS_FILTER:
        pytest.skip("systemd-analyze or libseccomp is not here: the hook's filter of system calls was not tried")
    (root / "etc/vix/webhook-secret").write_text("a secret of this test\n")
    (root / "etc/vix/deployhook.env").write_text("VIX_HOOK_REPOSITORY=owner/name\n")
    subprocess.run(["git", "init", "-q", str(root / "opt/vix/repo")], check=True, timeout=60)
    program = root / "opt/vix/current/vix"
    program.unlink()  # the real one would first make the hook an environment of its own
    program.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m deployhook\n")
    program.chmod(0o755)
    body = b'{"ref": "refs/heads/main", "deleted": false, "repository": {"full_name": "owner/name"}, "after": "%s"}'
    body %= b"1" * 40
    signature = hmac.new(b"a secret of this test", body, "sha256").hexdigest()
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": str(uuid.uuid4()), "Content-Type": "application/json"}
    with manager(ROOT / "systemd", root, is_confined=True) as machine:
        hook = machine.start("vix-deployhook.service")
        path = root / "run/vix/hook/socket"
        assert comes(path.exists), hook.log.read_text()
        transport = httpx2.HTTPTransport(uds=str(path))
        with httpx2.Client(transport=transport, base_url="http://films.example", headers=headers) as client:
            assert client.post("/deploy/github", content=body).status_code == 401
            client.headers["X-Hub-Signature-256"] = f"sha256={signature}"
            answer = client.post("/deploy/github", content=body)
        assert answer.status_code == 202, (answer.text, hook.log.read_text())
        asks_for = machine.below(UnitFile.read(ROOT / "systemd/vix-deploy.path").one("PathExists"))
        assert Path(asks_for).exists()
        machine.stop("vix-deployhook.service")
        assert hook.ended_with in ([0], [-signal.SIGTERM]), hook.log.read_text()


def test_what_is_killed_is_started_again(machine: Manager, root: Path) -> None:
    api, worker = machine.start(API), machine.start(WORKER)
    for service in (api, worker):
        os.kill(service.pid, signal.SIGKILL)
        assert comes(again(service), 60), service.log.read_text()
        assert service.ended_with == [-signal.SIGKILL]
    with Client(root) as client:
        assert client.ended(client.submit())["status"] == "done"


@pytest.mark.parametrize("name", [API, WORKER])
def test_what_hangs_is_killed_by_the_watchdog_and_started_again(root: Path, name: str) -> None:
    with manager(ROOT / "systemd", root, IMPATIENT) as machine:
        service = machine.start(name)
        assert service.watchdog_kills == 0
        os.kill(service.pid, signal.SIGSTOP)
        assert comes(again(service), 60), service.log.read_text()
        assert (service.watchdog_kills, service.ended_with) == (1, [-signal.SIGABRT])
        beats = service.heard.count("WATCHDOG=1")
        assert comes(lambda: service.heard.count("WATCHDOG=1") > beats + 2)


def test_a_film_in_work_is_finished_when_the_worker_is_to_stop(machine: Manager, root: Path) -> None:
    worker = machine.start(WORKER)
    machine.start(API)
    with Client(root) as client:
        job_id = client.submit(4)
        assert comes(lambda: len(worker.processes()) > 1, 60), worker.log.read_text()
        machine.stop(WORKER)
        assert worker.ended_with == [0]
        assert worker.processes() == []
        assert client.ended(job_id)["status"] == "done"


def test_what_cannot_be_set_up_rightly_is_not_started_again(machine: Manager, root: Path) -> None:
    (root / "etc/vix/master-key").write_text("short")
    with pytest.raises(AssertionError, match="VIX_MASTER_KEY"):
        machine.start(API)
    assert machine.services[API].ended_with == [78]


def test_a_request_starts_a_deploy_and_another_during_it_the_next(machine: Manager, root: Path) -> None:
    script = root / "opt/vix/current/deploy.sh"
    request, begun = root / "var/lib/vix-deploy/request", root / "begun"
    script.write_text(
        f"#!{shutil.which('sh')}\nrm {request}\necho x >> {begun}\nwhile [ -e {root}/hold ]; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    (root / "hold").touch()
    deploy = machine.start("vix-deploy.path")
    assert deploy.state == "inactive"
    request.touch()
    assert comes(begun.exists)
    request.touch()
    assert not comes(lambda: len(begun.read_text()) > 2, 0.3)
    (root / "hold").unlink()
    assert comes(lambda: begun.read_text() == "x\nx\n" and deploy.state == "inactive")
    assert (deploy.ended_with, request.exists()) == ([0, 0], False)
