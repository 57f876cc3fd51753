"""What commands and process trees use: CPU seconds, memory. Linux only; knows nothing of films."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from render.sandbox import Child

TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.05
_TAIL = 2_000


class CommandFailed(Exception):
    """A command that is measured ended with an error; the message has its last lines."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a finished command used, all its descendants included that were waited for: user + system CPU seconds."""

    cpu_s: float
    wall_s: float
    stdout: str


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Used:
    """Run a command to its end.

    The kernel adds a waited-for child's usage to its parent's, so that what wait4 tells is that of the whole tree.

    Raises:
        CommandFailed: it ended with another code than 0.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        child = Child(
            words,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if child.returncode is None:
                child.kill()
                child.wait()
        wall_s = time.monotonic() - started
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            tail = err.read().decode(errors="replace")[-_TAIL:]
            raise CommandFailed(f"{' '.join(words[:6])} ... ended with code {child.returncode}:\n{tail}")
        return Used(usage.ru_utime + usage.ru_stime, wall_s, out.read().decode(errors="replace"))


_BURN = "import time\nwhile time.process_time() < 0.5: pass"
_NEST = "import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', sys.argv[1]], check=True)"


def grandchild_cpu_s() -> float:
    """What `run` sees of a grandchild that burns half a CPU second: at least that, or nothing here can be believed."""
    return run([sys.executable, "-S", "-c", _NEST, _BURN]).cpu_s


def tree(pid: int) -> list[int]:
    """A process and all its living descendants."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass  # gone meanwhile
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a tree so far, with those of its members that have ended and were waited for (10 ms steps)."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(value) for value in fields[11:15])  # utime, stime, cutime, cstime (proc(5))
    return ticks / TICKS


def pss_mb(pids: Sequence[int]) -> float:
    """Proportional set size of processes together, in MB: shared pages are counted once."""
    return sum(_pss_kb(pid) for pid in pids) / 1000


def _pss_kb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1.024
    except OSError:
        pass
    return 0.0


class PeakPss:
    """Samples a tree's PSS every 50 ms while entered; `peak_mb`, and `parts` names what it was made of then."""

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self.parts: dict[str, float] = {}
        self.samples = 0
        self._pid = pid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakPss:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            parts = {pid: pss_mb([pid]) for pid in tree(self._pid)}
            self.samples += 1
            if sum(parts.values()) > self.peak_mb:
                self.peak_mb = sum(parts.values())
                self.parts = {f"{_name(pid)} {pid}": round(value, 1) for pid, value in parts.items()}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def end(child: subprocess.Popen[bytes], patience_s: float = 15) -> None:
    """End a child process: asked first, then killed."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def rank(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
