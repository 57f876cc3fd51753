"""`vix install` as it is typed, on a server that is a folder: the real command, `deploy.sh`, git and files; programs
that need a whole Debian are stand-ins on the PATH."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.vault import split_keys
from tests.deployhook import toy
from tests.deployhook.yard import LONG_S, ROOT, Yard, open_yard
from tests.fakes import server_programs

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("git", "curl", "setpriv", "flock")),
    reason="git, curl, setpriv and flock are needed to deploy",
)
SECRETS = ("master-key", "secret", "vault-key", "webhook-secret")
UNITS = sorted(path.name for path in (ROOT / "systemd").iterdir())
DOMAIN = "films.example.org"
# A release that keeps keys, as far as an installation asks for them.
KEYS = """keys)
    if [ "$2" = create ]; then echo catv_abc_shown-once >"$VIX_DATA.keys"; fi
    cat "$VIX_DATA.keys" 2>/dev/null
    ;;
"""


@dataclass
class Server:
    """A server below `root`; `yard` has the repository and the toy that is deployed."""

    yard: Yard

    @property
    def root(self) -> Path:
        return self.yard.folder / "root"

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.yard.folder / "state.json").read_text()))

    def set(self, **values: Any) -> None:
        (self.yard.folder / "state.json").write_text(json.dumps(self.state | values))

    def vix(self, *arguments: str, code: int = 0) -> str:
        """Type `vix install`; returns what it said."""
        programs = f"{self.yard.folder / 'programs'}:{os.environ['PATH']}"
        surroundings = {"PATH": programs, "HOME": str(self.yard.folder), "VIX_TEST_YARD": str(self.yard.folder)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "daemon", "install", "--root", str(self.root), *arguments],
            cwd=self.yard.folder,
            env=surroundings | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=2 * LONG_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    def install(self, *arguments: str, code: int = 0) -> str:
        return self.vix("--repo", self.repo, *arguments, code=code)

    @property
    def repo(self) -> str:
        return str(self.yard.folder / "owner/origin.git")

    def calls(self) -> list[str]:
        """What was run since the last time, questions aside."""
        file = self.yard.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        asks = ("ss", "id", "dpkg-query", "hostname", "curl", "systemctl is-")
        return [line for line in lines if not line.startswith(asks)]

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def files(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything that an installation writes: mode, time and content."""
        places = [self.root / name for name in ("etc", "usr", "opt/vix/releases")]
        found = [path for place in places for path in place.rglob("*") if path.is_file() and "venv" not in str(path)]
        return {str(path): (path.stat().st_mode & 0o7777, path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    def secrets(self) -> dict[str, str]:
        return {name: self.text(f"etc/vix/{name}").strip() for name in SECRETS}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh Debian server."""
    root = tmp_path / "root"
    for folder in ("run/systemd/system", "proc/net", "etc", "opt", "var/lib"):
        (root / folder).mkdir(parents=True)
    (root / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n')
    (root / "proc/meminfo").write_text("MemTotal: 980000 kB\nSwapTotal: 0 kB\n")
    (root / "proc/net/if_inet6").write_text("fe80 1\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in server_programs.PROGRAMS:
        (programs / name).write_text(f"#!{sys.executable}\n{Path(server_programs.__file__).read_text()}")
        (programs / name).chmod(0o755)
    with open_yard(tmp_path, root / "opt/vix") as yard:
        (root / "opt/vix/.env").unlink()
        (tmp_path / "owner").symlink_to(".")
        script = toy.VIX.replace("alert)", f"{KEYS}alert)", 1)
        (tmp_path / "work/vix").write_text(script)
        yard.git("commit", "-q", "-a", "-m", "with keys")
        yard.git("push", "-q", "origin", "HEAD:main")
        made = Server(yard)
        own = {
            "curl": shutil.which("curl"),
            "health": f"http://127.0.0.1:{yard.port}/health",
            "addresses": "192.0.2.7 ",
        }
        (tmp_path / "state.json").write_text(json.dumps(server_programs.FRESH | own))
        yield made


@pytest.fixture
def installed(server: Server) -> Server:
    server.install()
    server.calls()
    return server


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_fresh_server_in_a_local_network(server: Server) -> None:
    said = server.install("--port", "8090")
    root, live = server.root, server.yard.live()
    assert server.yard.serving() == live
    for name in UNITS:
        assert server.text(f"etc/systemd/system/{name}") == (ROOT / "systemd" / name).read_text()
    assert {name for name in server.state["enabled"] if name.startswith("vix")} == set(UNITS) - {"vix-deploy.service"}
    assert {
        "vix-api.service",
        "vix-worker.service",
        "vix-deployhook.service",
        "vix-deploy.path",
        "nginx.service",
    } <= set(server.state["active"])
    site = server.text("etc/nginx/sites-enabled/vix.conf")
    assert site == (ROOT / "nginx/vix-local.conf").read_text().replace("@PORT@", "8090")
    assert os.listdir(root / "etc/nginx/sites-enabled") == ["vix.conf"]
    assert {"vix", "vix-deploy", "www-data"} <= set(server.state["users"])
    assert {"vix", "vix-deploy"} <= set(server.state["groups"])
    assert [mode(root / path) for path in ("etc/vix", "opt/vix", "var/cache/vix-deploy")] == [0o700, 0o755, 0o700]
    assert all(mode(root / "etc/vix" / name) == 0o600 for name in os.listdir(root / "etc/vix"))
    assert sorted(os.listdir(root / "etc/vix")) == sorted([*SECRETS, "vix.env", "deploy.env", "deployhook.env"])
    assert (mode(root / "opt/vix/releases" / live / "vix"), mode(root / "usr/local/bin/vix")) == (0o755, 0o755)
    deploy = server.text("etc/vix/deploy.env").splitlines()[1:]
    assert deploy == [f"VIX_DEPLOY_REMOTE={server.repo}", "VIX_DEPLOY_BRANCH=main"]
    assert "VIX_HOOK_REPOSITORY=owner/origin\n" in server.text("etc/vix/deployhook.env")
    made = server.secrets()
    for shown in (
        made["master-key"],
        made["webhook-secret"],
        "catv_abc_shown-once",
        "http://192.0.2.7:8090/deploy/github",
    ):
        assert said.count(shown) == 1, shown
    assert made["secret"] not in said
    assert made["vault-key"] not in said
    assert "application/json" in said
    assert "Just the push event" in said


def test_secrets_have_the_form_that_each_reader_wants(installed: Server) -> None:
    from cryptography.fernet import Fernet

    made = installed.secrets()
    assert re.fullmatch("[0-9a-f]{64}", made["secret"])
    assert len(made["master-key"]) >= 24
    assert len(made["webhook-secret"]) >= 16
    (key,) = split_keys(made["vault-key"])
    Fernet(key)
    assert len(set(made.values())) == 4


def test_a_second_run_changes_nothing_and_tells_no_secret(installed: Server) -> None:
    before = installed.files()
    for arguments in ([], ["--repo", installed.repo]):
        said = installed.vix(*arguments)
        assert "Everything is as it should be." in said
        assert installed.files() == before
        assert installed.calls() == []
        assert not [name for name, secret in installed.secrets().items() if secret in said]
        assert "catv_" not in said


def test_with_a_domain_the_certificate_comes_before_the_site(server: Server) -> None:
    said = server.install("--domain", f"{DOMAIN.upper()}.", "--email", "me@example.org")
    calls = server.calls()
    certbot = next(call for call in calls if call.startswith("certbot"))
    assert f"--webroot -w {server.root}/var/www/html -d {DOMAIN} --email me@example.org" in certbot
    assert calls.index("systemctl reload-or-restart nginx") < calls.index(certbot)
    assert calls.count("systemctl reload-or-restart nginx") == 2
    assert server.text("etc/nginx/sites-enabled/vix.conf") == (ROOT / "nginx/vix.conf").read_text().replace(
        "@DOMAIN@", DOMAIN
    )
    assert f"VIX_PUBLIC_URL=https://{DOMAIN}\n" in server.text("etc/vix/vix.env")
    assert f"https://{DOMAIN}/deploy/github" in said
    assert "Everything is as it should be." in server.vix()
    # And to another name, and into a local network.
    server.vix("--domain", "other.example.org")
    assert "VIX_PUBLIC_URL=https://other.example.org\n" in server.text("etc/vix/vix.env")
    assert "other.example.org" in server.text("etc/nginx/sites-enabled/vix.conf")
    server.vix("--port", "8088")
    assert "VIX_PUBLIC_URL" not in server.text("etc/vix/vix.env")
    assert "listen 8088" in server.text("etc/nginx/sites-enabled/vix.conf")


def test_without_a_certificate_it_ends_early_and_goes_on_later(server: Server) -> None:
    server.set(failing=["certbot"])
    said = server.install("--domain", DOMAIN, code=1)
    assert f"Does {DOMAIN} lead to this server" in said
    assert not (server.root / "opt/vix/current").exists()
    assert "ssl" not in server.text("etc/nginx/sites-enabled/vix.conf"), "Nginx would not start with it"
    made = server.secrets()
    assert made["master-key"] not in said
    server.set(failing=[])
    server.install("--domain", DOMAIN)
    assert server.secrets() == made
    assert server.yard.serving() == server.yard.live()


@pytest.mark.parametrize("lost", [*(f"etc/vix/{name}" for name in SECRETS), "etc/systemd/system/vix-worker.service"])
def test_what_is_lost_is_put_back_and_nothing_else_is_touched(installed: Server, lost: str) -> None:
    before = installed.files()
    (installed.root / lost).unlink()
    installed.vix()
    after = installed.files()
    assert {path for path in after if before[path] != after[path]} <= {str(installed.root / lost)}
    assert "Everything is as it should be." in installed.vix()


def test_what_was_changed_is_repaired(installed: Server) -> None:
    (installed.root / "etc/vix/secret").chmod(0o644)
    (installed.root / "etc/vix").chmod(0o755)
    (installed.root / "etc/nginx/sites-enabled/default").write_text("# again")
    secrets = installed.secrets()
    installed.set(active=["nginx.service"], groups=[])
    installed.vix()
    assert [mode(installed.root / path) for path in ("etc/vix", "etc/vix/secret")] == [0o700, 0o600]
    assert not (installed.root / "etc/nginx/sites-enabled/default").exists()
    assert installed.secrets() == secrets
    assert {"vix-api.service", "vix-worker.service", "vix-deploy.path"} <= set(installed.state["active"])
    assert {"vix", "vix-deploy"} <= set(installed.state["groups"])


def test_settings_of_the_operator_stay(installed: Server) -> None:
    file = installed.root / "etc/vix/vix.env"
    file.write_text("# mine\nVIX_STOP_S=20\nVIX_ALERT_URLS=ntfy://x/y\n")
    installed.vix("--branch", "main")
    assert file.read_text() == "# mine\nVIX_STOP_S=20\nVIX_ALERT_URLS=ntfy://x/y\n"


def test_secrets_of_a_vix_that_ran_here_before_are_taken_over(server: Server) -> None:
    data = server.root / "var/lib/vix"
    data.mkdir()
    (data / "secret").write_text("ab" * 32)
    server.install()
    assert server.secrets()["secret"] == "ab" * 32


def test_a_dry_run_tells_and_does_nothing(server: Server) -> None:
    before = sorted(map(str, server.root.rglob("*")))
    said = server.install("--domain", DOMAIN, "--dry-run")
    for word in ("apt-get", "useradd", "usermod", "certbot", "systemctl enable", "deploy.sh", "sites-enabled/default"):
        assert re.search(f"^would .*{word}", said, re.MULTILINE), word
    assert sorted(map(str, server.root.rglob("*"))) == before
    assert server.calls() == []


def test_uninstalled_data_and_keys_are_left(installed: Server) -> None:
    data = installed.root / "var/lib/vix"
    data.mkdir(exist_ok=True)
    with closing(sqlite3.connect(data / "vix.db")) as connection:
        connection.execute("create table films (name text)")
    (installed.root / "opt/vix/backups").mkdir()
    (installed.root / "opt/vix/backups/one.db").write_text("a copy")
    secrets = installed.secrets()
    assert "would remove /opt/vix" in installed.vix("--uninstall", "--dry-run")
    assert (installed.root / "opt/vix/current").exists()
    said = installed.vix("--uninstall")
    for path in ("/etc/vix", "/var/lib/vix", "/opt/vix/backups"):
        assert f"  {path}: " in said
    assert installed.secrets() == secrets
    assert (data / "vix.db").exists()
    assert os.listdir(installed.root / "opt/vix") == ["backups"]
    gone = ["etc/nginx/sites-enabled/vix.conf", "usr/local/bin/vix", *(f"etc/systemd/system/{name}" for name in UNITS)]
    assert not [path for path in gone if (installed.root / path).exists()]
    assert not [name for name in installed.state["enabled"] if name.startswith("vix")]
    installed.vix("--uninstall")
    installed.install()
    assert installed.secrets() == secrets
    assert installed.yard.serving() == installed.yard.live()


def test_a_repository_that_cannot_be_had_is_named_early(server: Server) -> None:
    said = server.vix("--repo", str(server.yard.folder / "owner/none.git"), code=1)
    assert "Is that its URL" in said
    said = server.install("--branch", "nope", code=1)
    assert "branch nope" in said
    assert not (server.root / "opt/vix/current").exists()
