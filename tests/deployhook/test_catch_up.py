"""Pushes that the hook did not hear of: found by asking the remote, and not asked for again and again."""

from __future__ import annotations

import fcntl
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deployhook import remote, request
from deployhook.desk import Desk
from deployhook.errors import RemoteSilent
from deployhook.github import Push
from deployhook.memory import Memory, Outcome
from deployhook.settings import Settings, parse
from tests.processes import alive, comes

LIVE, TIP = "a" * 40, "b" * 40


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "deploys").mkdir()
    (tmp_path / "current").symlink_to(f"releases/{LIVE}")
    names = {"SECRET": "0123456789abcdef", "REPOSITORY": "owner/name", "BASE": str(tmp_path)}
    return parse({f"VIX_HOOK_{name}": value for name, value in names.items()} | {"PATH": "/usr/bin:/bin"})


def desk(settings: Settings, head: Callable[[], str] = lambda: TIP) -> Desk:
    return Desk(settings, Memory(settings.state / "deliveries.json"), head)


def asked(settings: Settings) -> bool:
    return request.is_waiting(settings.state)


def record(settings: Settings, name: str, text: str) -> None:
    (settings.state / name).mkdir()
    (settings.state / name / "record").write_text(text)


def test_a_missed_push_is_asked_for_once(settings: Settings) -> None:
    desk(settings).catch_up()
    assert asked(settings)
    written = (settings.state / "request").stat().st_mtime_ns
    desk(settings).catch_up()
    assert (settings.state / "request").stat().st_mtime_ns == written


def test_what_is_live_is_not_asked_for(settings: Settings) -> None:
    desk(settings, lambda: LIVE).catch_up()
    assert not asked(settings)


def test_before_the_first_deploy_there_is_one_to_be_asked_for(settings: Settings) -> None:
    (settings.base / "current").unlink()
    desk(settings).catch_up()
    assert asked(settings)


def test_a_commit_that_failed_waits_for_the_next_or_for_a_person(settings: Settings) -> None:
    record(settings, "20260101T000001Z-1", f"outcome failed\ncommit {TIP}\n")
    desk(settings).catch_up()
    assert not asked(settings)
    desk(settings, lambda: "c" * 40).catch_up()
    assert asked(settings)


def test_a_rollback_is_not_undone(settings: Settings) -> None:
    record(settings, "20260101T000001Z-1", f"kind rollback\noutcome done\ncommit {LIVE}\nfrom {TIP}\n")
    desk(settings).catch_up()
    assert not asked(settings)


def test_a_switch_that_was_cut_off_is_asked_to_be_undone(settings: Settings) -> None:
    (settings.state / "switching").write_text(LIVE)
    desk(settings, lambda: LIVE).catch_up()
    assert asked(settings)


def test_while_a_deploy_is_at_work_nothing_is_asked_for(settings: Settings) -> None:
    (settings.state / "switching").write_text(LIVE)
    with open(settings.state / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        desk(settings).catch_up()
        assert not asked(settings)
    desk(settings).catch_up()
    assert asked(settings)


def test_a_request_that_was_lost_lets_its_delivery_come_again(settings: Settings) -> None:
    here = desk(settings, lambda: LIVE)
    assert here.hear("delivery-1", Push(TIP, "")) is None
    (settings.state / "request").unlink()  # taken by a deploy that could not write anything down
    assert here.hear("delivery-1", Push(TIP, "")) is Outcome.PENDING
    text = (settings.state / "deliveries.json").read_text()
    (settings.state / "deliveries.json").write_text(re.sub(r'"at": [\d.]+', f'"at": {time.time() - 700}', text))
    assert desk(settings, lambda: LIVE).hear("delivery-1", Push(TIP, "")) is None


def test_a_remote_that_is_silent_is_no_end(settings: Settings) -> None:
    def silent() -> str:
        raise RemoteSilent("https://me:password@host/ does not answer.")

    here = desk(settings, silent)
    here.catch_up()
    assert here.look.problem == "https://[hidden]@host/ does not answer."
    assert here.health()["status"] == "failing"
    assert not asked(settings)


def test_a_full_disk_is_no_end(settings: Settings) -> None:
    (settings.state / "request.part").mkdir()
    (settings.state / "request.part" / "x").touch()
    desk(settings).catch_up()
    assert not asked(settings)


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_head_of_exactly_this_branch(tmp_path: Path, settings: Settings) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "origin")
    origin = tmp_path / "origin"
    git(origin, "commit", "-q", "--allow-empty", "-m", "first")
    head = git(origin, "rev-parse", "HEAD")
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    git(origin, "update-ref", "refs/heads/refs/heads/main", head)
    git(origin, "tag", "main", head)
    tip = git(origin, "rev-parse", "refs/heads/main")
    assert remote.head(tmp_path, str(origin), "main", settings.environment) == tip
    with pytest.raises(RemoteSilent, match="no branch other"):
        remote.head(tmp_path, str(origin), "other", settings.environment)
    with pytest.raises(RemoteSilent, match="could not ask"):
        remote.head(tmp_path, str(tmp_path / "nowhere"), "main", settings.environment)
    git(tmp_path, "clone", "-q", "--bare", str(origin), "clone.git")
    known = replace(settings, checkout=tmp_path / "clone.git")
    assert remote.head(known.checkout, known.remote, "main", known.environment) == tip


def test_a_git_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\nsleep 100 & echo $! >'{tmp_path}/pid'\nwait\n")
    (tmp_path / "git").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    with pytest.raises(RemoteSilent, match="did not answer within 1 s"):
        remote.head(tmp_path, "origin", "main", environment, timeout_s=1)
    pid = int((tmp_path / "pid").read_text())
    assert comes(lambda: not alive(pid))


def test_without_git_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RemoteSilent, match="git cannot be started"):
        remote.head(tmp_path, "origin", "main", {"PATH": str(tmp_path)})
