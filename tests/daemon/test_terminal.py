"""The progress line, on a terminal and in a log."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

CODE = """
from daemon.commands.terminal import ProgressLine
with ProgressLine("Film:") as line:
    for step in range(101):
        line.show(step / 100, "words " * 40 if step == 50 else "render")
print("after")
"""
COMMAND = [sys.executable, "-c", CODE]


def test_in_a_log_every_tenth_is_a_line() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert len(lines) == 11
    assert [lines[0], lines[-1]] == ["Film:   0% render", "Film: 100% render"]
    assert max(map(len, lines)) <= 78
    assert done.stdout == "after\n"


def test_on_a_terminal_one_line_is_rewritten_and_then_ended() -> None:
    here, there = pty.openpty()
    with subprocess.Popen(COMMAND, stdout=there, stderr=there):
        os.close(there)
        said = b""
        try:
            while chunk := os.read(here, 65_536):
                said += chunk
        except OSError:  # Linux's way of saying that the other end is closed
            os.close(here)
    shown = said.decode().replace("\r\n", "\n")
    assert shown.count("\n") == 2
    assert shown.endswith("\nafter\n")
    assert shown.count("\r") == 101
    assert {len(part) for part in shown.partition("\n")[0].split("\r")[1:]} == {78}, "each covers the one before"
