"""What the hook remembers of deliveries, and what it learns from the records of deploys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployhook import request, status
from deployhook.errors import StateUnwritable
from deployhook.memory import KEEP_S, Delivery, Memory, Outcome

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def delivery(name: str, clock: Clock) -> Delivery:
    return Delivery(name, COMMIT, "somebody", clock())


def test_a_week_is_remembered_over_restarts(tmp_path: Path) -> None:
    clock = Clock()
    memory = Memory(tmp_path / "file", clock)
    memory.note(delivery("first", clock))
    memory.settle({"first": Outcome.DONE, "unknown": Outcome.FAILED})
    assert Memory(tmp_path / "file", clock).outcome("first") is Outcome.DONE
    assert Memory(tmp_path / "file", clock).outcome("unknown") is None
    clock.now += KEEP_S - 1
    assert Memory(tmp_path / "file", clock).outcome("first") is Outcome.DONE
    clock.now += 1
    memory = Memory(tmp_path / "file", clock)
    assert memory.outcome("first") is None
    memory.note(delivery("second", clock))
    assert "first" not in (tmp_path / "file").read_text()
    assert [one.id for one in memory.pending()] == ["second"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"deliveries": [{}]}', '{"deliveries": 7}', "\0"])
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    memory = Memory(tmp_path / "file", Clock())
    assert memory.outcome("first") is None
    assert (tmp_path / "file.broken").read_text() == text
    memory.note(delivery("first", Clock()))
    assert json.loads((tmp_path / "file").read_text())["deliveries"][0]["id"] == "first"


def test_what_cannot_be_written_is_said_and_leaves_what_was(tmp_path: Path) -> None:
    request.write(tmp_path, "push", ["one"], "now")
    (tmp_path / "request.part").mkdir()
    (tmp_path / "request.part" / "x").touch()
    with pytest.raises(StateUnwritable):
        request.write(tmp_path, "push", ["two"], "now")
    assert request.deliveries(tmp_path / "request") == ["one"]


def deploy(outcome: str, commit: str = "c", kind: str = "deploy", left: str = "", *names: str) -> status.Deploy:
    return status.Deploy("id", kind, outcome, commit, left, "", "", "", "", names)


@pytest.mark.parametrize(
    ("known", "given_up"),
    [
        ([deploy("done")], set()),
        ([deploy("failed")], {"c"}),
        ([deploy("broken")], {"c"}),
        ([deploy("failed", "")], set()),
        ([deploy("failed"), deploy("done")], set()),
        ([deploy("done"), deploy("failed")], {"c"}),
        ([deploy("running")], set()),
        ([deploy("interrupted")] * 2, set()),
        ([deploy("interrupted")] * 3, {"c"}),
        ([deploy("interrupted")] * 3 + [deploy("done")], set()),
        ([deploy("done", "b", "rollback", "c")], {"c"}),
        ([deploy("done", "b", "rollback", "c"), deploy("done")], set()),
        ([deploy("failed", "b", "rollback", "c")], set()),
    ],
)
def test_what_is_not_tried_again_by_itself(known: list[status.Deploy], given_up: set[str]) -> None:
    assert status.given_up(known) == given_up


def test_the_last_deploy_that_names_a_delivery_says_what_became_of_it() -> None:
    known = [deploy("failed", "c", "deploy", "", "x", "y"), deploy("nothing", "c", "deploy", "", "x")]
    assert status.outcomes(known, at_work=False) == {"x": Outcome.DONE, "y": Outcome.FAILED}
    running = [deploy("running", "c", "deploy", "", "x")]
    assert status.outcomes(running, at_work=True) == {"x": Outcome.PENDING}
    assert status.outcomes(running, at_work=False) == {"x": Outcome.FAILED}


def test_passwords_in_urls_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    log = "fatal: unable to access 'https://me:ghp_password@github.com/owner/name/': no\n"
    (tmp_path / "one" / "log").write_text("x\n" * 5000 + log)
    tail = status.log_tail(tmp_path, "one")
    assert len(tail) == 40
    assert tail[-1] == "fatal: unable to access 'https://[hidden]@github.com/owner/name/': no"
