"""Obeys unit files as systemd does, as far as ours go: for a machine whose first process is not systemd.

Absolute paths of the units lie below a folder of its own. Accounts, namespaces and control groups are not there: all
that a service has started is known by the INVOCATION_ID in its environment.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.confined import Confinement
from tests.fakes.unit_file import UnitFile
from tests.processes import stat

_PATHS = re.compile(r"(?<![\w./])/(?=(?:opt|etc|var|run)/)")
_TICK_S = 0.02
_LIMITS = {"activating": "TimeoutStartSec", "deactivating": "TimeoutStopSec"}
_DIRECTORIES = {"State": "var/lib", "Runtime": "run", "Cache": "var/cache"}


@dataclass
class Service:
    """One service and what is known about it. `state` is inactive, activating, active, deactivating or failed."""

    unit: UnitFile
    root: Path
    log: Path
    is_confined: bool
    state: str = "inactive"
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    watchdog_kills: int = 0
    ended_with: list[int] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    invocation: str = ""
    _since: float = 0.0
    _alive_at: float = 0.0
    _ear: socket.socket | None = None
    _asked: bool = True

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Begin; `active` comes later where the service says so itself."""
        self.invocation = uuid.uuid4().hex
        self._listen()
        self._make_directories()
        self._load_credentials()
        command = self.unit.words("ExecStart")
        if self.is_confined:
            command = self._confinement().command(command)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.unit.one("WorkingDirectory"),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                umask=int(self.unit.one("UMask", "0022"), 8),
                start_new_session=True,
            )
        self._enter("activating" if self.unit.one("Type") in ("notify", "oneshot") else "active")

    def ask_to_stop(self) -> None:
        """As `systemctl stop`: no restart comes of it."""
        if self.process is None:
            self._enter("inactive")
        elif self.state != "deactivating":
            self._enter("deactivating")
            self._signal(getattr(signal, self.unit.one("KillSignal", "SIGTERM")))

    def look(self) -> None:
        """Do what is due now."""
        self._hear()
        if self.process is None:
            if self.state == "restarting" and self._waited("RestartSec", 0.1):
                self.restarts += 1
                self.start()
        elif (code := self.process.poll()) is not None:
            self._died(code)
        elif (limit := _LIMITS.get(self.state)) and self._waited(limit, 90):
            self._signal(signal.SIGKILL)
        elif self.state == "active" and self._is_silent():
            self.watchdog_kills += 1
            self._enter("deactivating", asked=False)
            self._signal(signal.SIGABRT)

    def close(self) -> None:
        """End all of it at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.end_the_rest()
        if self._ear is not None:
            self._ear.close()

    def processes(self) -> list[int]:
        """All that runs in the service now, and what that has started with another environment."""
        mark = f"INVOCATION_ID={self.invocation}".encode()
        pids = map(int, filter(str.isdecimal, os.listdir("/proc")))
        parents = {pid: int(fields[1]) for pid in pids if (fields := stat(pid))}
        found = {pid for pid in parents if mark in _environ(pid)}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def end_the_rest(self) -> None:
        """What is left when the main process has ended is killed, unless KillMode= says `process`."""
        for pid in self.processes() if self.invocation and self.unit.one("KillMode") != "process" else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _died(self, code: int) -> None:
        self.process = None
        self.ended_with.append(code)
        self.end_the_rest()
        for name in self.unit.words("RuntimeDirectory"):
            shutil.rmtree(self.root / "run" / name, ignore_errors=True)
        final = [int(number) for number in self.unit.words("RestartPreventExitStatus")]
        if self.state == "deactivating" and self._asked:
            self._enter("inactive")
        elif self.unit.one("Restart") == "always" and code not in final:
            self._enter("restarting")
        else:
            self._enter("failed" if code else "inactive")

    def _enter(self, state: str, asked: bool = True) -> None:
        self.state, self._asked = state, asked
        self._since = self._alive_at = time.monotonic()

    def _waited(self, key: str, default_s: float) -> bool:
        return time.monotonic() - self._since > self.unit.seconds(key, default_s)

    def _is_silent(self) -> bool:
        patience_s = self.unit.seconds("WatchdogSec", 0)
        return bool(patience_s) and time.monotonic() - self._alive_at > patience_s

    def _signal(self, number: signal.Signals) -> None:
        """KillMode=mixed: the main process alone, and the kernel's word to all. A stopped process is woken for it."""
        if number == signal.SIGKILL:
            self.end_the_rest()
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            os.kill(self.pid, signal.SIGCONT)

    def _listen(self) -> None:
        if self._ear is None:
            self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._ear.setblocking(False)
            self._ear.bind(str(self.root / f"{self.unit.name}.notify"))

    def _hear(self) -> None:
        while self._ear is not None:
            try:
                data, control, _, _ = self._ear.recvmsg(4096, 256)
            except BlockingIOError:
                return
            sender = struct.unpack("3i", control[0][2])[0]
            if self.process is None or sender != self.pid:  # NotifyAccess=main
                continue
            for line in data.decode().splitlines():
                self.heard.append(line)
                if line == "READY=1" and self.state == "activating":
                    self._enter("active")
                elif line == "STOPPING=1" and self.state == "active":
                    self._enter("deactivating", asked=False)
                elif line == "WATCHDOG=1":
                    self._alive_at = time.monotonic()

    def _make_directories(self) -> None:
        for kind, place in _DIRECTORIES.items():
            for name in self.unit.words(f"{kind}Directory"):
                folder = self.root / place / name
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(int(self.unit.one(f"{kind}DirectoryMode", "0755"), 8))

    def _load_credentials(self) -> None:
        folder = self.root / "run/credentials" / self.unit.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        for credential in self.unit.values.get("LoadCredential", []):
            name, _, path = credential.partition(":")
            (folder / name).write_bytes(Path(path).read_bytes())
            (folder / name).chmod(0o400)

    def _environment(self) -> dict[str, str]:
        """Nothing of the tester's but the PATH; files go before Environment=, as systemd.exec(5) says."""
        given = dict(word.split("=", 1) for word in self.unit.words("Environment"))
        for name in self.unit.values.get("EnvironmentFile", []):
            path = Path(name.removeprefix("-"))
            if path.exists() or not name.startswith("-"):
                lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
                given |= dict(line.split("=", 1) for line in lines)
        told = {"NOTIFY_SOCKET": str(self.root / f"{self.unit.name}.notify")} if self._is_told() else {}
        own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "INVOCATION_ID": self.invocation}
        return own | told | {"CREDENTIALS_DIRECTORY": str(self.root / "run/credentials" / self.unit.name)} | given

    def _is_told(self) -> bool:
        return self.unit.one("Type") == "notify"

    def _confinement(self) -> Confinement:
        unit = self.unit
        return Confinement(
            unit.system_calls(),
            tuple(unit.words("RestrictAddressFamilies")),
            unit.is_on("NoNewPrivileges"),
            unit.is_on("MemoryDenyWriteExecute"),
            int(unit.one("LimitNOFILE", "0")),
        )


class Manager:
    """The units of a folder, with their paths below `root`; drop-ins are text by the unit's name."""

    def __init__(self, units: Path, root: Path, drop_ins: Mapping[str, str] = {}, *, is_confined: bool = False) -> None:
        self.root = root
        self.services: dict[str, Service] = {}
        self._paths: dict[str, UnitFile] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        for file in sorted(units.iterdir()):
            unit = UnitFile.read(file, drop_ins.get(file.name, ""))
            unit.values = {key: [self.below(value) for value in values] for key, values in unit.values.items()}
            if file.suffix == ".service":
                self.services[file.name] = Service(unit, root, root / f"{file.stem}.log", is_confined)
        self._files = units
        self._thread = threading.Thread(target=self._run, name="systemd")
        self._thread.start()

    def below(self, text: str) -> str:
        """The same text with the paths of units below this manager's folder."""
        return _PATHS.sub(f"{self.root}/", text)

    def start(self, name: str, within_s: float = 60) -> Service:
        """Start a unit, and wait until a service is active."""
        if name.endswith(".path"):
            unit = UnitFile.read(self._files / name)
            with self._lock:
                self._paths[name] = unit
            return self.services[unit.one("Unit")]
        service = self.services[name]
        with self._lock:
            service.start()
        self.wait(service, "active", within_s)
        return service

    def stop(self, name: str, within_s: float = 60) -> None:
        """Stop a service and wait for its end."""
        with self._lock:
            self.services[name].ask_to_stop()
        self.wait(self.services[name], "inactive", within_s)

    def wait(self, service: Service, state: str, within_s: float = 60) -> None:
        """Wait until a service is in a state; that it has failed meanwhile is an error."""
        until = time.monotonic() + within_s
        while service.state != state:
            log = service.log.read_text()[-3000:] if service.log.exists() else ""
            assert service.state != "failed", f"{service.unit.name} has failed: {log}"
            assert time.monotonic() < until, f"{service.unit.name} is {service.state}, not {state}: {log}"
            time.sleep(_TICK_S)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for service in self.services.values():
            service.close()

    def _run(self) -> None:
        while not self._over.wait(_TICK_S):
            with self._lock:
                for service in self.services.values():
                    service.look()
                for path in self._paths.values():
                    wanted = self.services[path.one("Unit")]
                    if wanted.process is None and Path(self.below(path.one("PathExists"))).exists():
                        wanted.start()


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@contextmanager
def manager(
    units: Path, root: Path, drop_ins: Mapping[str, str] = {}, *, is_confined: bool = False
) -> Iterator[Manager]:
    """A manager that ends all it has started, whatever happens."""
    made = Manager(units, root, drop_ins, is_confined=is_confined)
    try:
        yield made
    finally:
        made.close()
