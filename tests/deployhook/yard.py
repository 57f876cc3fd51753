"""A whole deployment in one folder: a bare repository, a base folder, a stand-in for systemctl, and the real hook and
`deploy.sh`. Everything runs as processes of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deployhook import toy
from tests.processes import comes

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, 0123456789"
LONG_S = 60.0
_AUTHOR = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]


@dataclass
class Answer:
    """What a server said."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def call(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask over HTTP; a refusal is an answer, too."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=LONG_S) as response:
            return Answer(response.status, json.loads(response.read()), dict(response.headers))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, json.loads(refusal.read()), dict(refusal.headers))


def signature(body: bytes, secret: str = SECRET) -> str:
    """GitHub's, worked out apart from the code under test."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def push_payload(commit: str, **changes: Any) -> bytes:
    """The payload of a push, as far as anybody looks."""
    payload = {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": commit,
        "created": False,
        "deleted": False,
        "forced": False,
        "repository": {"full_name": "Owner/Project", "default_branch": "main", "private": True},
        "pusher": {"name": "somebody"},
        "commits": [],
        "head_commit": None,
    }
    return json.dumps(payload | changes).encode()


@dataclass
class Hook:
    """A running hook."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def send(self, body: bytes, event: str = "push", delivery: str = "", **headers: str) -> Answer:
        """Deliver as GitHub does; a keyword is a header, with `_` for `-`, and an empty one takes it away."""
        sent = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0123abc",
            "X-Github-Event": event,
            "X-Github-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": signature(body),
        } | {name.replace("_", "-").title(): value for name, value in headers.items()}
        return call(self.url + "/deploy/github", body, {name: value for name, value in sent.items() if value})

    def status(self) -> dict[str, Any]:
        return call(self.url + "/deploy/status").body

    @property
    def rss_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def hook(base: Path, **variables: str) -> Iterator[Hook]:
    """Start the hook; a keyword is a setting without `VIX_HOOK_`."""
    settings = {"SECRET": SECRET, "REPOSITORY": "owner/project", "BASE": str(base), "PORT": "0"} | variables
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(base)}
    surroundings |= {f"VIX_HOOK_{name}": value for name, value in settings.items()}
    log = base.parent / f"hook-{uuid.uuid4().hex[:8]}.log"
    command = [sys.executable, "-P", "-m", "deployhook"]
    with (
        open(log, "w") as out,
        subprocess.Popen(command, cwd=base, env=surroundings, stderr=out, text=True) as process,
    ):
        try:
            assert comes(lambda: "Listens on" in log.read_text() or process.poll() is not None, LONG_S)
            assert process.poll() is None, log.read_text()
            url = log.read_text().split("Listens on ")[1].split()[0]
            if url.startswith("http"):
                assert comes(lambda: _answers(url), LONG_S)
            yield Hook(process, url, log)
        finally:
            process.terminate()
            process.wait(LONG_S)


def _answers(url: str) -> bool:
    try:
        return bool(call(url + "/health").status)
    except OSError:
        return False


@dataclass
class Yard:
    """`base` is where releases go; everything else that a test needs is in `folder`."""

    folder: Path
    base: Path
    port: int
    settings: dict[str, str]

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def state(self) -> Path:
        return self.base / "deploys"

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder / "work"), *_AUTHOR, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, *flags: str, text: str = "") -> str:
        """Commit a release that goes wrong as `flags` say; returns its hash."""
        work = self.folder / "work"
        for path in work.iterdir():
            if path.is_file():
                path.unlink()
        files = {"vix": toy.VIX, "server.py": toy.SERVER, "text": text or uuid.uuid4().hex}
        for name, content in (files | dict.fromkeys(flags, "")).items():
            (work / name).write_text(content)
        (work / "vix").chmod(0o755)
        shutil.copy(ROOT / "deploy.sh", work)
        (work / "requirements").mkdir(exist_ok=True)
        if not (work / "requirements" / "run.txt").exists():
            (work / "requirements" / "run.txt").write_text("nothing\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a release")
        return self.git("rev-parse", "HEAD")

    def push(self, *flags: str, text: str = "") -> str:
        """Commit such a release and push it."""
        commit = self.commit(*flags, text=text)
        self.git("push", "-q", "--force", "origin", "HEAD:main")
        return commit

    def command(self, *arguments: str) -> list[str]:
        script = self.base / "current" / "deploy.sh"
        return [str(script if script.exists() else ROOT / "deploy.sh"), "--base", str(self.base), *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `deploy.sh`, the live one where there is one, in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def deploy(self, *arguments: str, code: int = 0) -> str:
        """Run `deploy.sh` to its end; returns what it said."""
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=LONG_S)
        assert process.returncode == code, f"{said}\n{self.log()}"
        return said

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.state.glob("*/log")))

    def live(self) -> str:
        """Where `current` points, which must be to a release that is whole."""
        commit = Path(os.readlink(self.base / "current")).name
        listed = subprocess.run(
            ["git", "-C", self.origin, "ls-tree", "-r", "--name-only", commit],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert listed
        assert self.lacking(commit, [*listed, ".commit", ".venv/vix-stamp"]) == []
        assert (self.base / "releases" / commit / ".commit").read_text().strip() == commit
        return commit

    def lacking(self, commit: str, names: list[str]) -> list[str]:
        return [name for name in names if not (self.base / "releases" / commit / name).exists()]

    def serving(self) -> str:
        """The commit that answers; empty where none does."""
        try:
            return str(call(f"http://127.0.0.1:{self.port}/health").body["commit"])
        except OSError:
            return ""

    def records(self) -> list[dict[str, str]]:
        """What the hook could read of each deploy, the oldest first."""
        texts = [path.read_text() for path in sorted(self.state.glob("*Z-*/record"))]
        return [dict(line.split(" ", 1) for line in text.splitlines()) for text in texts]

    def last(self) -> dict[str, str]:
        return self.records()[-1]

    def restarts(self) -> list[str]:
        """The commits that were live at each restart."""
        return (self.folder / "restarts").read_text().split()

    def alerts(self) -> str:
        path = self.base / "alerts"
        return path.read_text() if path.exists() else ""

    def leftovers(self) -> list[str]:
        """What a deploy that has ended must not leave behind."""
        names = [*self.base.glob("releases/*.part"), *self.base.glob("*.part"), *self.base.glob("backups/*.part")]
        names += [self.base / "current.back", self.state / "switching"]
        return [str(path) for path in names if path.exists() or path.is_symlink()]

    @contextmanager
    def path_unit(self) -> Iterator[list[int]]:
        """Does what systemd's path unit with `PathExists=` does; gives the exit codes of what it has run."""
        codes: list[int] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                if (self.state / "request").exists():
                    with self.start() as process:
                        process.communicate()
                    codes.append(process.returncode)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield codes
        finally:
            over.set()
            thread.join(LONG_S)

    def hook(self, **variables: str) -> Any:
        return hook(self.base, **variables)

    def close(self) -> None:
        """End the service, which is nobody's child, and whatever a deploy that was killed has started of it."""
        for path in Path("/proc").iterdir():
            if path.name.isdecimal() and self._is_service(path):
                os.kill(int(path.name), signal.SIGKILL)

    def _is_service(self, process: Path) -> bool:
        try:
            arguments = (process / "cmdline").read_text().split("\0")
        except OSError:
            return False
        return arguments[-3:-1] == ["current/server.py", str(self.port)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def open_yard(folder: Path, base: Path | None = None, **settings: str) -> Iterator[Yard]:
    """A yard with one commit at its remote, which nobody has deployed. A keyword is a setting without `VIX_DEPLOY_`."""
    base = base or folder / "the base"
    base.mkdir(exist_ok=True)
    yard = Yard(folder, base, free_port(), settings)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", yard.origin], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", folder / "work"], check=True)
    yard.git("remote", "add", "origin", str(yard.origin))
    systemctl = folder / "systemctl"
    fields = {"base": base, "yard": folder, "python": sys.executable, "port": yard.port}
    systemctl.write_text(toy.SYSTEMCTL.format(**fields))
    systemctl.chmod(0o755)
    given = {
        "REMOTE": str(yard.origin),
        "RESTART": f"'{systemctl}' restart vix-api vix-worker",
        "HEALTH_S": "4",
        "STEADY_S": "0",
        "APART_S": "0",
    } | settings
    lines = [f"VIX_DEPLOY_{name}={value}" for name, value in given.items()]
    lines.append(f'VIX_HEALTH_URL="http://127.0.0.1:{yard.port}/health"')
    (base / ".env").write_text("# for deploy.sh\n" + "\n".join(lines) + "\n")
    yard.push()
    try:
        yield yard
    finally:
        yard.close()
