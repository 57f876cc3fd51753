"""`deploy.sh` as somebody runs it by hand: what it brings live, what it refuses, and what it keeps."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.deployhook.yard import ROOT, Yard


def test_the_tip_goes_live_and_nothing_is_left_behind(yard: Yard) -> None:
    first = yard.live()
    assert yard.serving() == first
    assert (yard.last()["outcome"], yard.last()["asked_by"]) == ("done", "hand")
    second = yard.push()
    yard.deploy()
    assert (yard.live(), yard.serving()) == (second, second)
    assert yard.last() | {"from": first, "commit": second, "outcome": "done"} == yard.last()
    assert yard.leftovers() == []
    assert yard.restarts() == [first, second]
    assert yard.alerts() == ""


def test_what_is_live_already_is_not_restarted(yard: Yard) -> None:
    assert "is live already" in yard.deploy()
    assert yard.last()["outcome"] == "nothing"
    assert len(yard.restarts()) == 1


def test_releases_with_the_same_locks_share_an_environment(yard: Yard) -> None:
    yard.push()
    yard.deploy()
    assert (yard.base / "made").read_text().split() == ["made"]
    (yard.folder / "work" / "requirements" / "run.txt").write_text("another package\n")
    yard.push()
    yard.deploy()
    assert (yard.base / "made").read_text().split() == ["made", "made"]
    assert len(list((yard.base / "venvs").iterdir())) == 2
    # What was added to the environment before the deploy is added to the next one, which is another then.
    (yard.folder / "work" / "requirements" / "cluster.txt").write_text("a driver\n")
    yard.push()
    yard.deploy()
    assert (yard.base / "made").read_text().count("made") == 2
    (yard.base / "current" / ".venv.added").write_text("cluster\n")
    yard.push()
    yard.deploy()
    assert (yard.base / "made").read_text().count("made") == 3
    assert (yard.base / "current" / ".venv.added").read_text() == "cluster\n"


def test_three_releases_are_kept_and_no_environment_that_none_of_them_has(yard: Yard) -> None:
    commits = [yard.live()]
    for number in range(4):
        (yard.folder / "work" / "requirements" / "run.txt").write_text(f"lock {number}\n")
        commits.append(yard.push())
        yard.deploy()
    assert {path.name for path in (yard.base / "releases").iterdir()} == set(commits[-3:])
    assert len(list((yard.base / "venvs").iterdir())) == 3


def test_a_tip_that_does_not_follow_is_refused_unless_forced(yard: Yard) -> None:
    first = yard.live()
    yard.push()
    yard.deploy()
    second = yard.live()
    yard.git("reset", "-q", "--hard", first)
    other = yard.push()
    said = yard.deploy(code=1)
    assert f"{other[:12]} does not follow {second[:12]}" in said
    assert (yard.live(), yard.serving()) == (second, second)
    assert "only --force" in yard.deploy("--dry-run")
    yard.deploy("--force")
    assert yard.serving() == other


def test_back_step_by_step_and_forward_with_the_next_push(yard: Yard) -> None:
    commits = [yard.live()]
    for _ in range(2):
        commits.append(yard.push())
        yard.deploy()
    yard.deploy("--rollback")
    assert yard.serving() == commits[1]
    assert yard.last()["kind"] == "rollback"
    yard.deploy("--rollback")
    assert (yard.live(), yard.serving()) == (commits[0], commits[0])
    assert "There is no such release" in yard.deploy("--rollback", code=1)
    yard.deploy("--rollback", commits[2][:10])
    assert yard.serving() == commits[2]
    yard.deploy("--rollback")
    newest = yard.push()
    yard.deploy()
    assert yard.serving() == newest


def test_a_dry_run_changes_nothing(yard: Yard) -> None:
    first, tip = yard.live(), yard.push()
    (yard.state / "request").write_text("{}")
    before = sorted(path.name for path in yard.state.iterdir())
    said = yard.deploy("--dry-run")
    assert first in said
    assert tip in said
    assert (yard.live(), yard.serving()) == (first, first)
    assert sorted(path.name for path in yard.state.iterdir()) == before


def test_status_says_what_is_live_and_how_it_went(yard: Yard) -> None:
    first = yard.live()
    yard.push("bad-prepare")
    yard.deploy(code=1)
    said = yard.deploy("--status")
    assert said.splitlines()[:2] == [f"live: {first}", f"release: {first}"]
    assert "deploy failed" in said
    assert "Its environment cannot be set up." in said


def test_the_database_is_copied_while_somebody_writes(yard: Yard) -> None:
    (yard.base / "data").mkdir()
    with closing(sqlite3.connect(yard.base / "data" / "vix.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE job (id INTEGER)")
        for number in range(4):
            database.execute("INSERT INTO job VALUES (?)", [number])
            database.commit()
            database.execute("INSERT INTO job VALUES (99)")  # not committed while the deploy runs
            yard.push()
            yard.deploy()
            database.rollback()
    copies = sorted((yard.base / "backups").iterdir())
    assert len(copies) == 3
    assert [copy.stat().st_mode & 0o777 for copy in copies] == [0o600] * 3
    with closing(sqlite3.connect(copies[-1])) as copy:
        assert copy.execute("SELECT id FROM job").fetchall() == [(number,) for number in range(4)]


def test_a_database_that_cannot_be_copied_stops_the_deploy(yard: Yard) -> None:
    first = yard.live()
    (yard.base / "data").mkdir()
    (yard.base / "data" / "vix.db").write_text("this is no database, and it is long enough to be looked at" * 40)
    yard.push()
    assert "cannot be backed up" in yard.deploy(code=1)
    assert (yard.live(), yard.restarts()) == (first, [first])


def test_a_release_that_could_not_be_replaced_is_refused(yard: Yard) -> None:
    first = yard.live()
    yard.commit()
    (yard.folder / "work" / "deploy.sh").write_text("#!/usr/bin/env bash\nif\n")
    yard.git("commit", "-q", "-a", "-m", "a broken deploy.sh")
    yard.git("push", "-q", "origin", "HEAD:main")
    assert "Its commands do not work" in yard.deploy(code=1)
    assert (yard.live(), yard.restarts()) == (first, [first])


def test_what_was_failing_before_is_not_held_against_a_release(yard: Yard) -> None:
    (yard.base / "disk-is-low").touch()
    subprocess.run([yard.folder / "systemctl"], check=True)
    second = yard.push()
    yard.deploy()
    assert yard.serving() == second


def test_an_operator_who_cannot_be_told_is_no_reason_to_fail_otherwise(yard: Yard) -> None:
    first = yard.live()
    environment = (yard.base / ".env").read_text()
    (yard.base / ".env").write_text(environment + "VIX_DEPLOY_ALERT=false\n")
    yard.push("crash")
    assert "Nobody could be told" in yard.deploy(code=1)
    assert yard.serving() == first


@pytest.mark.parametrize("bait", ["link", "folder", "pipe", "dangling"])
def test_a_request_of_another_account_leads_nowhere(yard: Yard, bait: str) -> None:
    """The folder of the request is the hook's, and whoever has taken over the hook must not read or write more."""
    theirs, secret = yard.folder / "theirs", yard.folder / "secret"
    request = theirs / "request"
    theirs.mkdir()
    secret.write_text("what only the owner may read")
    if bait == "folder":
        (request / "inner").mkdir(parents=True)
    elif bait == "pipe":
        os.mkfifo(request)
    else:
        request.symlink_to(secret if bait == "link" else theirs / "nothing")
    (yard.base / ".env").write_text((yard.base / ".env").read_text() + f"VIX_DEPLOY_REQUEST={request}\n")
    tip = yard.push()
    yard.deploy()
    assert yard.serving() == tip
    assert yard.last()["asked_by"] == "request"
    assert list(theirs.iterdir()) == []
    assert secret.read_text() == "what only the owner may read"
    assert "only the owner" not in "".join(path.read_text() for path in yard.state.glob("*/request"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--what"], "--what is no option"),
        (["--base"], "--base needs a folder"),
        ([], "Say where releases go"),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], sentence: str) -> None:
    command = [str(ROOT / "deploy.sh"), *arguments]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize("line", ["VIX_DEPLOY_HEALTH_S=soon", "VIX_DEPLOY_BRANCH=--upload-pack=x", "VIX_DEPLOY_KEEP=1"])
def test_wrong_settings_are_a_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    command = [str(ROOT / "deploy.sh"), "--base", str(tmp_path)]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 2
    assert line.partition("=")[0] in done.stderr


def test_settings_are_read_and_never_run(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"VIX_DEPLOY_REMOTE=$(touch '{tmp_path}/run')\ntouch '{tmp_path}/run'\n")
    command = [str(ROOT / "deploy.sh"), "--base", str(tmp_path)]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 1
    assert not (tmp_path / "run").exists()


def test_the_script_is_clean() -> None:
    try:
        done = subprocess.run(["shellcheck", ROOT / "deploy.sh"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("There is no shellcheck here.")
    assert done.stdout == ""
