"""`vix up`: both halves run, come back when they die, and end together."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.service import OUTPUT, Service, eventually


def child(service: Service, command: str) -> int:
    """The process id of a child of `up`; 0 while there is none."""
    parent = service.processes["up"].pid
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        if arguments.partition(b"\0daemon\0")[2].split(b"\0")[0] == command.encode():
            return int(pid)
    return 0


def start(service: Service) -> None:
    service.start_api("up")
    eventually(lambda: "worker_ready" in service.log("up"), "the worker is ready")


def test_a_worker_that_hangs_is_started_again(halted: Service) -> None:
    halted.settings = {**halted.settings, "LEASE_S": "6"}
    start(halted)
    hung = child(halted, "worker")
    assert hung, "number 0 would be the tests' own process group"
    os.kill(hung, signal.SIGSTOP)
    job_id = halted.submit()["job_id"]
    eventually(lambda: child(halted, "worker") not in (0, hung), "another worker runs")
    assert halted.ended(job_id)["status"] == "done"
    assert "action=hangs" in halted.log("up")


def test_up_makes_films(halted: Service) -> None:
    start(halted)
    assert halted.ended(halted.submit()["job_id"])["status"] == "done"
    assert halted.stop("up") == 0
    assert halted.relatives() == []


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_half_that_dies_comes_back(halted: Service, name: str) -> None:
    start(halted)
    dead = child(halted, name)
    other = child(halted, "worker" if name == "api" else "api")
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: child(halted, name) not in (0, dead), f"{name} runs again")
    halted.url = ""
    if name == "api":
        eventually(lambda: halted.log("up").count("Vix listens on") == 2, "it listens again")
    else:
        eventually(lambda: halted.log("up").count("worker_ready") == 2, "it takes jobs again")
    halted.url = halted.log("up").rpartition("Vix listens on ")[2].split()[0]
    assert child(halted, "worker" if name == "api" else "api") == other, "the other half goes on"
    assert halted.ended(halted.submit()["job_id"])["status"] == "done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "hang-up"])
def test_one_signal_ends_everything_within_the_stop_time(halted: Service, number: signal.Signals) -> None:
    halted.settings = {**halted.settings, "STOP_S": "0.3"}
    start(halted)
    job_id = halted.submit({"video": {"duration": 60}, "output": {**OUTPUT, "quality": "high"}})["job_id"]
    eventually(lambda: halted.status(job_id)["progress"] > 0, "it renders")
    halted.processes["up"].send_signal(number)
    assert halted.processes.pop("up").wait(60) == 0
    assert halted.relatives() == []
    assert halted.rows("select status from job") == [("in_queue",)]


def test_ctrl_c_on_a_terminal_lets_the_film_be_finished(halted: Service) -> None:
    """A terminal sends SIGINT to the whole foreground group, not to one process."""
    start(halted)
    job_id = halted.submit({"video": {"duration": 12}, "output": OUTPUT})["job_id"]
    eventually(lambda: halted.status(job_id)["progress"] > 0, "it renders")
    os.killpg(halted.processes["up"].pid, signal.SIGINT)
    assert halted.processes.pop("up").wait(60) == 0
    assert halted.rows("select status from job") == [("done",)]
    assert halted.relatives() == []


def test_both_halves_die_with_up(halted: Service) -> None:
    start(halted)
    job_id = halted.submit({"video": {"duration": 15}, "output": OUTPUT})["job_id"]
    eventually(halted.encoders, "FFmpeg runs")
    halted.kill("up")
    eventually(lambda: not halted.relatives(), "nothing is left")
    start(halted)
    assert halted.ended(job_id)["status"] == "done"


def test_a_second_signal_does_not_wait(halted: Service) -> None:
    halted.settings = {**halted.settings, "STOP_S": "600"}
    start(halted)
    job_id = halted.submit({"video": {"duration": 120}, "output": {**OUTPUT, "quality": "high"}})["job_id"]
    eventually(lambda: halted.status(job_id)["progress"] > 0, "it renders")
    up = halted.processes["up"]
    up.send_signal(signal.SIGINT)
    eventually(lambda: "action=stopping" in halted.log("up"), "it has heard")
    assert up.poll() is None
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0
    assert halted.rows("select status from job") == [("in_queue",)]
    assert halted.relatives() == []


def test_two_signals_that_come_together_are_two(halted: Service) -> None:
    halted.settings = {**halted.settings, "STOP_S": "600"}
    start(halted)
    job_id = halted.submit({"video": {"duration": 120}, "output": {**OUTPUT, "quality": "high"}})["job_id"]
    eventually(lambda: halted.status(job_id)["progress"] > 0, "it renders")
    up = halted.processes["up"]
    for number in (signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
        up.send_signal(number)
    assert up.wait(60) == 0
    assert halted.rows("select status from job") == [("in_queue",)]
    assert halted.relatives() == []
