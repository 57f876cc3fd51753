"""Schemathesis over the OpenAPI document against a real server: `python -m tests.faults.fuzz --calls 20000`."""

from __future__ import annotations

import argparse
import math
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.jobs import Failure, Status
from daemon.web.access import access_rules
from daemon.web.app import create_app
from daemon.web.server import bound_server
from daemon.web.services import Services
from daemon.web.throttle import Throttle
from daemon.worker.heartbeat import Heartbeat
from tests.daemon.web.house import running, services_at

PHASES = ("examples", "coverage", "fuzzing", "stateful")
CONFIG = Path(__file__).with_name("schemathesis.toml")
_CLI = "from schemathesis.cli import schemathesis; schemathesis(prog_name='schemathesis')"
_MASTER_KEY = "a master key that only this test knows"
_TURNS = ("key", "operator", "key", "nobody")
_BROKEN = Failure("render_failed", "It could not be made.", permanent=False)


@dataclass(frozen=True)
class Fuzzed:
    """What came of a run. `calls` is how many were generated."""

    ok: bool
    calls: int
    report: str


@dataclass(frozen=True)
class Target:
    """A server to fuzz."""

    url: str
    services: Services

    def headers(self, caller: str) -> dict[str, str]:
        """What a caller sends; a key is new each time, as an operator may have revoked the one before."""
        if caller == "key":
            return {"X-Api-Key": self.services.keys.create("fuzz")[1]}
        return {"X-Master-Key": _MASTER_KEY} if caller == "operator" else {}

    def done(self) -> int:
        """How many films were asked for and made."""
        return self.services.views.counts()[Status.DONE]


@contextmanager
def target(data: Path) -> Iterator[Target]:
    """A web side on real files, with a worker that ends every job at once: one in three of them fails."""
    services = services_at(data)
    rung = threading.Event()
    services = replace(services, ring=lambda job_id: rung.set(), access=access_rules(_MASTER_KEY))
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            rung.wait(0.1)
            rung.clear()
            while (job := services.jobs.claim("fuzz")) is not None:
                (data / "films" / f"{job.stem}.mp4").write_bytes(b"film")
                (data / "films" / f"{job.stem}.jpg").write_bytes(b"picture")
                if job.seed % 3:
                    services.jobs.finish(job.claim, {"bytes": 4, "sha256": "0" * 64, "seed": job.seed}, film=job.stem)
                else:
                    services.jobs.fail(job.claim, _BROKEN)

    worker = threading.Thread(target=work)
    # Wrong keys are what half of the calls come with.
    app = create_app(services, Throttle(10**9))
    with running(services, bound_server(app, "127.0.0.1", 0)) as server:
        worker.start()
        try:
            with Heartbeat(services.workers, "fuzz", lambda: {"ffmpeg": "9.0.2"}, stuck_s=math.inf):
                yield Target(server.url, services)
        finally:
            stopped.set()
            worker.join(30)


def fuzz(at: Target, seed: int, *, examples: int, caller: str, phases: Sequence[str] = PHASES) -> Fuzzed:
    """Run schemathesis with all checks. The same seed makes the same calls, as far as answers are the same."""
    command = [sys.executable, "-c", _CLI, "--config-file", str(CONFIG), "run", f"{at.url}/openapi.json"]
    command += ["--checks", "all", "--seed", str(seed), "--max-examples", str(examples), "--no-color"]
    command += ["--continue-on-failure", "--request-timeout", "90", "--generation-database", "none"]
    command += ["--phases", ",".join(phases)]
    for name, value in at.headers(caller).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryDirectory() as folder:  # it may write where it is started
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    calls = sum(int(count) for count in re.findall(r"(\d+) generated", done.stdout))
    return Fuzzed(done.returncode == 0, calls, done.stdout + done.stderr)


def main() -> int:
    """Fuzz until so many calls were made, callers taking turns."""
    parser = argparse.ArgumentParser(prog="tests.faults.fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--examples", type=int, default=100, help="for each door and run")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    made = 0
    with tempfile.TemporaryDirectory() as folder, target(Path(folder)) as at:
        for number in range(asked.calls):
            if made >= asked.calls:
                break
            seed, caller = asked.seed + number, _TURNS[number % len(_TURNS)]
            found = fuzz(at, seed, examples=asked.examples, caller=caller)
            made += found.calls
            print(f"seed {seed}, as {caller}: {found.calls} calls, {made} in all")
            if not found.ok:
                print(found.report)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
