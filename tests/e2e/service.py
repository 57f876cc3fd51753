"""The whole service as a user runs it: real processes on a folder of their own, spoken to over HTTP and by command."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests import media

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
SMALL = {"width": 180, "height": 320, "quality": "draft"}
OUTPUT = {"width": 540, "height": 960}
_FFMPEG_NAME = Path(media.FFMPEG).name.encode()


def eventually(is_so: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so; the time is generous, as it only bounds a failure."""
    until = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until, f"not within {patience_s:g} s: {what}"
        time.sleep(0.01)


def make_library(root: Path) -> Path:
    """Two styles of small clips, two tracks and the founding request's logo."""
    for style, count in (("dots", 3), ("lone", 1)):
        (root / "styles" / style).mkdir(parents=True)
        for number in range(count):
            seconds = 3 if style == "dots" else 4
            source = "testsrc2" if style == "dots" else "testsrc"
            path = root / "styles" / style / f"{style}{number}.mp4"
            media.clip(path, source, rate="60", seconds=seconds, filters=(f"hue=h={80 * number}",))
    (root / "audio").mkdir()
    media.tone(root / "audio" / "low.wav", frequency=220)
    media.tone(root / "audio" / "high.wav", frequency=880)
    (root / "logos").mkdir()
    media.run("-f", "lavfi", "-i", "color=c=red:s=60x40", "-frames:v", "1", str(root / "logos" / "logo.png"))
    return root


@dataclass
class Service:
    """API and worker on one data folder. `settings` are environment variables, those of `VIX_` without it."""

    data: Path
    library: Path
    settings: Mapping[str, str]

    def __post_init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = ""
        self.key = ""

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see: nothing of the tester's own settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VIX_") and name != "FFMPEG"}
        ours = {"DATA": str(self.data), "LIBRARY": str(self.library), "PORT": "0", "FONTS_ONLINE": "0", **self.settings}
        named = {name if name == "FFMPEG" else f"VIX_{name}": value for name, value in ours.items()}
        return kept | {"PYTHONPATH": str(ROOT)} | named

    def command(self, *arguments: str, stdin: str = "", timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one of the commands to its end."""
        return subprocess.run(
            _python(*arguments),
            cwd=self.data.parent,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that stays; what it writes goes to `log()`."""
        name = arguments[0]
        with self._log_file(name).open("ab") as log:
            process = subprocess.Popen(
                _python(*arguments),
                cwd=self.data.parent,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_api(self, command: str = "api") -> None:
        """Start the API, and make a key at the first time."""
        before = self.log(command).count("Vix listens on")
        process = self.start(command)
        self._until_logged(process, command, "Vix listens on", before)
        assert process.poll() is None, self.log(command)
        self.url = self.log(command).rpartition("Vix listens on ")[2].split()[0]
        self.key = self.key or self.command("keys", "create", "test").stdout.splitlines()[-1]

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start the worker and wait until it takes jobs."""
        before = self.log("worker").count("worker_ready")
        process = self.start("worker")
        self._until_logged(process, "worker", "worker_ready", before)
        assert process.poll() is None, self.log("worker")
        return process

    def log(self, name: str) -> str:
        """What a process has written so far, both streams, all its starts."""
        file = self._log_file(name)
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request with the key."""
        headers = {"X-Api-Key": self.key, **options.pop("headers", {})}
        url = path if path.startswith("http") else self.url + path
        return httpx2.request(method, url, headers=headers, timeout=PATIENCE_S, trust_env=False, **options)

    def submit(self, spec: Any = None, *, seconds: float = 1, **fields: Any) -> dict[str, Any]:
        """Ask for a film, small unless the spec says otherwise; returns the answer of a 202."""
        body = {"video": {"duration": seconds}, "output": SMALL} | fields if spec is None else spec
        answer = self.request("POST", "/v1/generate", json=body)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def status(self, job_id: str, wait_s: float = 0) -> dict[str, Any]:
        """A job as its owner sees it."""
        found: dict[str, Any] = self.request("GET", f"/v1/status/{job_id}?wait={wait_s:g}").json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """A job once it has ended."""
        job = self.status(job_id, PATIENCE_S)
        assert job["status"] in ("done", "failed"), job
        return job

    def film(self, job_id: str) -> Path:
        """The film of a finished job, downloaded."""
        job = self.ended(job_id)
        assert job["status"] == "done", job
        path = self.data.parent / f"{job_id}.mp4"
        path.write_bytes(self.request("GET", job["result"]["download_url"]).raise_for_status().content)
        return path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        with closing(sqlite3.connect(self.data / "vix.db")) as connection:
            return connection.execute(query).fetchall()

    def kill(self, name: str) -> None:
        """As the kernel does it when memory is short."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """As systemd does it; returns the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE_S)

    def close(self) -> None:
        """End everything that was started, and what that has left behind."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self.relatives():
            os.kill(pid, signal.SIGKILL)

    def encoders(self) -> list[int]:
        """Process ids of the FFmpegs that run for this data folder now."""
        mark = str(self.data).encode()
        return [pid for pid, line in _commands() if line[0].endswith(_FFMPEG_NAME) and _has(line, mark)]

    def relatives(self) -> list[int]:
        """Process ids of everything that runs with this data folder in its environment or arguments."""
        mark = str(self.data).encode()
        return [pid for pid, line in _commands() if _has(line, mark) or mark in _read(pid, "environ")]

    def _until_logged(self, process: subprocess.Popen[bytes], name: str, words: str, before: int) -> None:
        eventually(lambda: self.log(name).count(words) > before or process.poll() is not None, f"{name}: {words}")

    def _log_file(self, name: str) -> Path:
        return self.data.parent / f"{name}.log"


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "daemon", *arguments]


def _commands() -> Iterator[tuple[int, list[bytes]]]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (line := _read(int(entry), "cmdline").split(b"\0"))[0]:
            yield int(entry), line


def _has(line: list[bytes], mark: bytes) -> bool:
    return any(mark in argument for argument in line)


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@contextmanager
def service(folder: Path, library: Path, **settings: str) -> Iterator[Service]:
    """A service that is not started yet, and ended whatever happens. It knows the library's clips already."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    if (known := library.parent / "catalogue.json").exists():
        shutil.copy(known, data)
    run = Service(data, library, {"STOP_S": "30", **{name.upper(): value for name, value in settings.items()}})
    try:
        yield run
    finally:
        run.close()
