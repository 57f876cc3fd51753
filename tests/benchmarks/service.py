"""The service as it runs: API and worker as processes on a temporary data folder, spoken to over loopback."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.store.database import Database, open_database
from render.sandbox import Child
from tests.benchmarks.bench import Bench, python
from tests.benchmarks.measure import end, run

_START_S = 60.0
_POLL_S = 0.05
# What is measured is the service, not how soon a key has used up what it may.
_UNLIMITED = ("--per-minute", "0", "--per-day", "0", "--waiting", "0")


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `worker` is None where only the API runs."""

    address: str
    key: str
    data: Path
    database: Database
    api: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes] | None

    def connect(self) -> http.client.HTTPConnection:
        """A connection that stays open until it is closed."""
        return http.client.HTTPConnection(self.address, timeout=60)

    def call(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Send one request; its status and the JSON it is answered with."""
        sent = {"X-Api-Key": self.key, "Content-Type": "application/json", **headers}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def submit(self, connection: http.client.HTTPConnection, wanted: bytes) -> str:
        """Ask for a film; the job's id.

        Raises:
            RuntimeError: it was not accepted.
        """
        status, job = self.call(connection, "POST", "/v1/generate", wanted)
        if status != 202:
            raise RuntimeError(f"the request was answered {status}: {job}")
        return str(job["job_id"])

    def wait_until_done(
        self, connection: http.client.HTTPConnection, job_id: str, poll_s: float = 0.1
    ) -> dict[str, Any]:
        """Ask for a job's status until it has ended.

        Raises:
            RuntimeError: it ended without a film.
        """
        while True:
            _, job = self.call(connection, "GET", f"/v1/status/{job_id}")
            if job["status"] == "done":
                return job
            if job["status"] in ("failed", "cancelled"):
                raise RuntimeError(f"the film was not made: {job['error']}")
            time.sleep(poll_s)


@contextmanager
def running(bench: Bench, name: str, *, with_worker: bool = True) -> Iterator[Service]:
    """Start the service on a new data folder; end it with the block."""
    data = bench.new(name)
    env = bench.env(data)
    made = run(python("daemon", "keys", "create", "bench", *_UNLIMITED), env, bench.folder)
    with ExitStack() as stack:
        api = _start(stack, bench, env, "api", data / "api.log")
        address = _address(api, data / "api.log")
        worker = _start(stack, bench, env, "worker", data / "worker.log") if with_worker else None
        database = open_database(data / "vix.db")
        stack.callback(database.close)
        service = Service(address, made.stdout.strip().splitlines()[-1], data, database, api, worker)
        if worker is not None:
            _wait_for_worker(service)
        yield service


def _start(stack: ExitStack, bench: Bench, env: dict[str, str], command: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        child = Child(
            python("daemon", command),
            env=env,
            cwd=bench.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack.callback(end, child)
    return child


def _address(api: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and api.poll() is None:
        if found := re.search(r"http://([\d.]+:\d+)", log.read_text(errors="replace")):
            return found[1]
        time.sleep(_POLL_S)
    raise RuntimeError(f"the API did not start:\n{log.read_text(errors='replace')[-2_000:]}")


def _wait_for_worker(service: Service) -> None:
    until = time.monotonic() + _START_S
    connection = service.connect()
    while time.monotonic() < until:
        _, health = service.call(connection, "GET", "/health")
        if health["checks"]["worker"]["ok"]:
            connection.close()
            return
        time.sleep(_POLL_S)
    raise RuntimeError(f"the worker did not start:\n{(service.data / 'worker.log').read_text()[-2_000:]}")
