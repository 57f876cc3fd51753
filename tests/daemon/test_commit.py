"""Which commit runs, read from real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from daemon.commit import running_commit


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular, without the tester's configuration."""
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    try:
        git(tmp_path, "init", "-q", "-b", "main")
    except FileNotFoundError:
        pytest.skip("there is no git here")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path


def test_a_branch(repository: Path) -> None:
    assert running_commit(repository) == git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    assert running_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_packed_references(repository: Path) -> None:
    git(repository, "branch", "other/main")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    assert running_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_commit_that_no_branch_names(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert running_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_release_has_a_stamp_and_a_checkout_believes_git(tmp_path: Path, repository: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    (release / ".commit").write_text("0123abcd\n")
    assert running_commit(release) == "0123abcd"
    (repository / ".commit").write_text("0123abcd\n")
    assert running_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_no_repository(tmp_path: Path) -> None:
    assert running_commit(tmp_path) == ""
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert running_commit(tmp_path) == ""
    assert running_commit(tmp_path / "missing") == ""
