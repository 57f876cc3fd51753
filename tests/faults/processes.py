"""Starts the API as a process that dies at a failpoint, and scripts that do."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


@contextmanager
def api(data: Path, fail_at: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An API process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.api_process", data, fail_at], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdout.close()


def dies(process: subprocess.Popen[str]) -> None:
    """See a process die of its failpoint, and of nothing else."""
    assert process.wait(PATIENCE_S) == -signal.SIGKILL


def run_script(script: str, *arguments: object, fail_at: str = "") -> subprocess.CompletedProcess[str]:
    """Run a few lines in a process of their own."""
    text = f"import sys\nfrom daemon import failpoints\nfailpoints.arm({fail_at!r})\n{script}"
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=not fail_at)


def script_dies(script: str, fail_at: str, *arguments: object) -> None:
    """Run a few lines in a process that is armed and has to die of it."""
    done = run_script(script, *arguments, fail_at=fail_at)
    assert done.returncode == -signal.SIGKILL, done.stderr
