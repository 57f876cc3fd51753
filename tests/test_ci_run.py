"""`.ci/run` with commands that are not the real ones: a server that does not start ends it, and none outlives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT

REAL = (
    *("bash", "env", "dirname", "mktemp", "chmod", "seq", "sleep", "sort", "tail", "rm", "cat", "id"),
    *("kill", "pkill", "timeout"),
)
AS_ANOTHER = 'while [[ $1 == -* || $1 == postgres || $1 == mysql ]]; do shift; done\nexec "$@"'
FAILS = "echo 'it says why' >&2\nexit 1"
SERVES = "exec sleep 1000"
SAYS = 'echo "vix $*"'
DEAF = "trap '' TERM\nwhile :; do sleep 1; done"


def ci(folder: Path, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run a copy beside a `./vix` that only speaks. `commands` are scripts that take the place of commands that serve
    and succeed."""
    programs = folder / "programs"
    for place in (programs, folder / "repo/.ci"):
        place.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", folder / "repo/.ci/run")
    for name in REAL:
        (programs / name).symlink_to(shutil.which(name) or name)
    (programs / "python3").symlink_to(sys.executable)
    succeed = ["apt-get", "redis-cli", "initdb", "pg_isready", "mariadb-install-db", "mariadb-admin", "mariadb"]
    scripts = {
        **dict.fromkeys(succeed, "exit 0"),
        **dict.fromkeys(("redis-server", "postgres", "mariadbd"), SERVES),
        "sudo": AS_ANOTHER,
        "runuser": AS_ANOTHER,
        "find": f"echo '{programs}'",
        **{name.replace("_", "-"): script for name, script in commands.items()},
    }
    for path, script in {
        **{programs / name: text for name, text in scripts.items()},
        folder / "repo/vix": SAYS,
    }.items():
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)
    command = ["bash", str(folder / "repo/.ci/run")]
    return subprocess.run(
        command, env={**os.environ, "PATH": str(programs)}, capture_output=True, text=True, timeout=300
    )


def test_with_all_servers_everything_is_tested(tmp_path: Path) -> None:
    done = ci(tmp_path)
    assert (done.returncode, done.stdout) == (0, "vix add cluster\nvix test\n"), done.stderr


def test_what_cannot_be_installed_is_told_and_the_rest_tested(tmp_path: Path) -> None:
    done = ci(tmp_path, apt_get='case "$*" in *nginx*) exit 100;; esac')
    skipped = "Nginx and systemd cannot be installed here: their tests are skipped."
    assert (done.returncode, done.stdout) == (0, f"{skipped}\nvix add cluster\nvix test\n"), done.stderr


@pytest.mark.parametrize(
    ("command", "server"),
    [("initdb", "postgresql"), ("mariadb_install_db", "mariadb"), ("mariadb", "mariadb")],
)
def test_a_step_that_fails_ends_it_and_says_why(tmp_path: Path, command: str, server: str) -> None:
    done = ci(tmp_path, **{command: FAILS})
    assert (done.returncode, done.stdout) == (1, f"{server} did not start:\nit says why\n")


def test_a_server_that_does_not_heed_its_end_is_killed(tmp_path: Path) -> None:
    done = ci(tmp_path, redis_server=f"echo $$ > '{tmp_path}/pid'\n{DEAF}")
    assert done.returncode == 0
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
