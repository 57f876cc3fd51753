"""Which ends of a process are final, and which are not; and that trouble with one child leaves the others alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from daemon.supervisor import supervise

# Ends with the next of its exit codes each time it is started.
PROGRAM = """
import sys
from pathlib import Path
runs, codes = Path(sys.argv[1]), sys.argv[2:]
with runs.open("a") as file:
    file.write("x")
sys.exit(int(codes[len(runs.read_text()) - 1]))
"""


@pytest.mark.parametrize(
    ("codes", "ended_with"), [([2], 2), ([3], 3), ([78], 78), ([1, 78], 78), ([0, 78], 78)], ids=str
)
def test_only_what_cannot_be_mended_is_final(tmp_path: Path, codes: list[int], ended_with: int) -> None:
    runs = tmp_path / "runs"
    command = [sys.executable, "-c", PROGRAM, str(runs), *map(str, codes)]
    other = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert supervise({"one": command, "other": other}, stop_s=5) == ended_with
    assert len(runs.read_text()) == len(codes)


def test_one_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    """The program waits for ever the first time, and says the second time that it cannot run."""
    runs = tmp_path / "runs"
    program = (
        "import sys, time; from pathlib import Path; runs = Path(sys.argv[1]); again = runs.exists();"
        " runs.write_text('x'); sys.exit(3) if again else time.sleep(600)"
    )
    asked: list[tuple[str, int]] = []

    def hangs(name: str, pid: int) -> bool:
        asked.append((name, pid))
        return runs.exists()

    assert supervise({"one": [sys.executable, "-c", program, str(runs)]}, stop_s=5, hangs=hangs) == 3
    assert {name for name, _ in asked} == {"one"}


def test_what_cannot_be_mended_is_tried_again_slowly_once_it_has_run(tmp_path: Path) -> None:
    """It runs for longer than the steady time, then says twice that it cannot run; 2 is a mistake of ours."""
    runs = tmp_path / "runs"
    program = PROGRAM.replace("sys.exit", "import time; time.sleep(0.5)\nsys.exit")
    command = [sys.executable, "-c", program, str(runs), "78", "78", "2"]
    assert supervise({"one": command}, stop_s=5, waits_s=(0.0, 0.1), steady_s=0.4) == 2
    assert len(runs.read_text()) == 3


def test_one_that_cannot_be_started_leaves_the_others_running(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    good = [sys.executable, "-c", PROGRAM, str(runs), "1", "3"]
    assert supervise({"bad": [sys.executable, "x" * 2**20], "good": good}, stop_s=5) == 3  # E2BIG of execve(2)
    assert len(runs.read_text()) == 2


def test_whoever_cannot_tell_whether_it_hangs_does_not_stop_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def hangs(name: str, pid: int) -> bool:
        raise ZeroDivisionError

    command = [sys.executable, "-c", "import time; time.sleep(0.5)\n" + PROGRAM, str(runs), "3"]
    assert supervise({"one": command}, stop_s=5, hangs=hangs) == 3
    assert len(runs.read_text()) == 1
