"""The server that Vix is installed on: reads and writes its files, and is the only one here that runs programs.

For tests the files lie below another folder, and the programs are those on the PATH.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from daemon.commands.install.steps import MakeFolder, MakeSecret, Remove, Run, Step, WriteFile
from daemon.errors import SettingsError

_OURS = re.compile(r"(?<![\w./])/(?=(?:opt|etc|var|run|usr/local)/)")
_LIMIT_S = 60
_AGAIN_EVERY_S = 1.0
_LAST_LINES = 5
_MAKE = {
    "hex": lambda: secrets.token_hex(32),
    "words": lambda: secrets.token_urlsafe(32),
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}


class Machine:
    """This server, or what is below `root` in its place."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self.is_root = os.geteuid() == 0 or root != Path("/")

    def at(self, path: str) -> Path:
        """Where a path of the server is."""
        return self._root / path.lstrip("/")

    def read(self, path: str) -> str | None:
        """A file's text; None where there is none."""
        try:
            text = self.at(path).read_text("utf-8", "replace")
        except OSError:
            return None
        return text if self._root == Path("/") else text.replace(f"{self._root}/", "/")

    def mode(self, path: str) -> int | None:
        """The permissions of a file or folder; None where there is none."""
        try:
            return self.at(path).stat().st_mode & 0o7777
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return self.at(path).exists() or self.at(path).is_symlink()

    def names(self, path: str) -> list[str]:
        """What is in a folder; nothing where it is not there."""
        try:
            return os.listdir(self.at(path))
        except OSError:
            return []

    def free_mb(self, path: str) -> int:
        """Room on the disk that a path is on or will be on."""
        there = self.at(path)
        while not there.exists():
            there = there.parent
        return shutil.disk_usage(there).free // 2**20

    def ask(self, *command: str) -> str:
        """What a program says, whatever it ends with; empty where it is not there."""
        try:
            done = subprocess.run(
                [self._below(word) for word in command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout

    def do(self, step: Step) -> None:
        """Do one step.

        Raises:
            SettingsError: it failed; says why in one line, and what to do.
        """
        try:
            if isinstance(step, MakeFolder):
                self.at(step.path).mkdir(parents=True, exist_ok=True)
                self.at(step.path).chmod(step.mode)
            elif isinstance(step, WriteFile):
                # Only what is run here has to find things where they are.
                self._write(step.path, self._below(step.text) if step.mode & 0o100 else step.text, step.mode)
            elif isinstance(step, MakeSecret):
                self._make_secret(step)
            elif isinstance(step, Remove):
                self._remove(step)
            else:
                self._run(step)
        except OSError as exc:
            raise SettingsError(f"could not {step}: {exc.strerror or exc}") from exc

    def _below(self, text: str) -> str:
        return text if self._root == Path("/") else _OURS.sub(f"{self._root}/", text)

    def _write(self, path: str, text: str, mode: int, *, replace: bool = True) -> None:
        target = self.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if replace:
            part.replace(target)
        else:
            with suppress(FileExistsError):
                os.link(part, target)
            part.unlink()

    def _make_secret(self, step: MakeSecret) -> None:
        known = self.read(step.known) if step.known else None
        self._write(step.path, (known or _MAKE[step.kind]()).strip() + "\n", 0o600, replace=False)
        self.at(step.path).chmod(0o600)

    def _remove(self, step: Remove) -> None:
        path = self.at(step.path)
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif step.but:
            for inner in path.iterdir() if path.exists() else ():
                if inner.name not in step.but:
                    self._remove(Remove(f"{step.path}/{inner.name}"))
        elif path.exists():
            shutil.rmtree(path)

    def _run(self, step: Run) -> None:
        variables = [self._below(f"{name}={value}") for name, value in step.variables.items()]
        command = ["env", *variables, *map(self._below, step.command)]
        until = time.monotonic() + step.again_s
        while (said := self._try(command, step)) is not None:
            if time.monotonic() >= until:
                last = "; ".join(said.strip().splitlines()[-_LAST_LINES:])
                raise SettingsError(". ".join(part for part in (f"{step} failed: {last}", step.remedy) if part))
            time.sleep(_AGAIN_EVERY_S)

    def _try(self, command: list[str], step: Run) -> str | None:
        """None where it went well, else what it said."""
        output = None if step.talks else subprocess.PIPE
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                text=True,
                errors="replace",
                timeout=step.limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it took longer than {step.limit_s:g} s"
        return (done.stdout or f"exit code {done.returncode}") if done.returncode else None
