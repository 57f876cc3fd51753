"""`vix schedules`, in processes of their own on a data folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.schedules import ScheduleStore
from tests.daemon.clockwork import PEPPER
from tests.source_tree import ROOT

FILM = {"name": "Film", "every": "monday", "at": "09:00", "timezone": "Europe/Berlin", "spec": {}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    clip = tmp_path / "library" / "styles" / "waves" / "one.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    return tmp_path


@pytest.fixture
def key_id(data: Path) -> str:
    database = open_database(data / "vix.db")
    key, _ = KeyStore(database, PEPPER).create("test")
    database.close()
    return key.id


def vix(data: Path, *arguments: str, body: Any = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "daemon", "schedules", *arguments],
        env={"VIX_DATA": str(data), "VIX_PUBLIC_URL": "https://films.example.org/"},
        input=json.dumps(body) if body is not None else None,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_a_schedules_life(data: Path, key_id: str) -> None:
    added = vix(data, "add", "-", "--key", key_id, body=FILM)
    assert added.returncode == 0, added.stderr
    one = added.stdout.strip()
    listed = vix(data, "list").stdout
    assert listed.startswith(f"{one}  {key_id}  next Mon ")
    assert listed.endswith("Film\n")
    assert vix(data, "pause", one).stdout == f"Schedule {one}: paused\n"
    assert "paused" in vix(data, "list").stdout
    job_id = vix(data, "run", one).stdout.strip()
    assert "ran " in vix(data, "list").stdout
    assert "next Mon" in vix(data, "resume", one).stdout
    database = open_database(data / "vix.db")
    job = JobStore(database).get(job_id)
    assert (job.key_id, job.base_url) == (key_id, "https://films.example.org")
    assert vix(data, "remove", one).returncode == 0
    assert ScheduleStore(database).list() == []
    database.close()
    assert vix(data, "list").stdout == ""


def test_what_is_wrong_is_said_in_a_line(data: Path, key_id: str) -> None:
    wrong = vix(data, "add", "-", "--key", key_id, body=FILM | {"every": "mondey", "spec": {"video": {"style": "x"}}})
    assert wrong.returncode == 1
    assert [line.split(" ")[1] for line in wrong.stderr.splitlines()] == ["every:", "spec.video.style:"]
    for arguments, body in ((["add", "-", "--key", "nobody"], FILM), (["add", "-", "--key", key_id], None)):
        done = vix(data, *arguments, body=body)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
    for verb in ("pause", "resume", "remove", "run"):
        done = vix(data, verb, "sch_00000000000000000000")
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no schedule" in done.stderr
