"""Settings of the hook: what is needed, what is refused, and that secrets stay secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployhook.errors import SettingsError
from deployhook.settings import parse

GOOD = {
    "VIX_HOOK_SECRET": "0123456789abcdef",
    "VIX_HOOK_REPOSITORY": "owner/name",
    "VIX_HOOK_BASE": "/nonexistent/base",
}


def test_the_defaults() -> None:
    settings = parse({**GOOD, "PATH": "/bin", "VIX_MASTER_KEY": "not git's business"})
    assert (settings.branch, settings.remote, settings.host, settings.port) == ("main", "origin", "127.0.0.1", 9000)
    assert (settings.state, settings.checkout) == (settings.base / "deploys", settings.base / "repo")
    assert settings.every_s == 300
    assert dict(settings.environment) == {"PATH": "/bin"}
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SECRET": ""}, "VIX_HOOK_SECRET is not set"),
        ({"SECRET": "fifteen chars.."}, "VIX_HOOK_SECRET must have at least 16 characters"),
        ({"SECRET_FILE": "/nonexistent/file"}, "VIX_HOOK_SECRET_FILE"),
        ({"SECRET_FILE": os.devnull}, "is empty"),
        ({"STATUS_TOKEN": "short"}, "VIX_HOOK_STATUS_TOKEN must have at least 16"),
        ({"STATUS_TOKEN": "with spaces in between"}, "visible ASCII"),
        ({"REPOSITORY": "name"}, "VIX_HOOK_REPOSITORY must be like owner/name"),
        ({"BRANCH": "--upload-pack=x"}, "VIX_HOOK_BRANCH"),
        ({"BRANCH": "a..b"}, "VIX_HOOK_BRANCH"),
        ({"REMOTE": "--upload-pack=x"}, "VIX_HOOK_REMOTE"),
        ({"PORT": "70000"}, "VIX_HOOK_PORT"),
        ({"EVERY_S": "nan"}, "VIX_HOOK_EVERY_S"),
        ({"BASE": ""}, "VIX_HOOK_BASE"),
        ({"SECRT": "x"}, "VIX_HOOK_SECRT is no setting"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(GOOD | {f"VIX_HOOK_{name}": value for name, value in changes.items()})
    assert sentence in str(refused.value)
    assert "fifteen chars" not in str(refused.value)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        parse({})
    assert all(name in str(refused.value) for name in GOOD)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret out of a file\n")
    variables = {**GOOD, "VIX_HOOK_SECRET": "", "VIX_HOOK_SECRET_FILE": str(tmp_path / "secret")}
    assert parse(variables).secret == "a secret out of a file"


@pytest.mark.parametrize("line", ["VIX_HOOK_SECRET=", "VIX_HOOK_SECRET=short"])
def test_it_does_not_start_without_a_secret(tmp_path: Path, line: str) -> None:
    lines = [line, "export VIX_HOOK_REPOSITORY='owner/name'  ", f'VIX_HOOK_BASE="{tmp_path}"', "OTHER=1", "# x"]
    (tmp_path / ".env").write_text("\n".join(lines))
    command = [sys.executable, "-P", "-m", "deployhook"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("vix hook: VIX_HOOK_SECRET ")
    assert len(done.stderr.splitlines()) == 1
    assert "REPOSITORY" not in done.stderr
    assert "BASE" not in done.stderr


def test_the_check_needs_no_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "deployhook", "--check"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
