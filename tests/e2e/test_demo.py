"""`vix demo` where it does not go well: it says so, ends, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.service import eventually, service


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").rpartition("\0")[2]


def test_a_demo_ends_when_a_part_of_it_dies(library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", library) as run:
        demo = run.start("demo")
        eventually(run.encoders, "it renders")
        (worker,) = [pid for pid in run.relatives() if command_of(pid) == "worker"]
        os.kill(worker, signal.SIGKILL)
        assert demo.wait(60) == 1
        assert "the worker was killed by SIGKILL" in run.log("demo")
        assert "Traceback" not in run.log("demo")
        assert run.relatives() == []
        assert os.listdir(run.data / "demo") == ["catalogue.json"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_stopped_leaves_nothing(library: Path, tmp_path: Path, number: signal.Signals) -> None:
    with service(tmp_path / "run", library) as run:
        demo = run.start("demo", "--keep")
        eventually(run.encoders, "it renders")
        demo.send_signal(number)
        assert demo.wait(60) == 1
        assert run.relatives() == []
        assert os.listdir(run.data / "demo") == ["catalogue.json"]


def test_a_kept_demo_serves_until_the_session_ends(library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", library) as run:
        demo = run.start("demo", "--keep")
        eventually(lambda: "keeps running" in run.log("demo") or demo.poll() is not None, "it waits", patience_s=180)
        run.url = run.log("demo").partition("Service: ")[2].split()[0]
        assert run.request("GET", "/health").status_code == 200
        demo.send_signal(signal.SIGHUP)
        assert demo.wait(60) == 0
        assert run.relatives() == []
        assert sorted(os.listdir(run.data / "demo")) == ["catalogue.json", "vix-demo.jpg", "vix-demo.mp4"]
