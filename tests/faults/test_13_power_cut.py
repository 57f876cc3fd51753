"""The power goes: whatever was answered with 202 was synced to the disk before, and what the disk then holds is a
database that knows it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job

SCRIPT = """
import os, sys
from daemon.store.database import open_database
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job
store = JobStore(open_database(sys.argv[1]))
for _ in range(5):
    os.write(2, b"asked\\n")
    store.submit(new_job())
    os.write(2, b"answered\\n")
"""


def test_every_answer_comes_after_a_sync(tmp_path: Path) -> None:
    if not (strace := shutil.which("strace")):
        pytest.skip("strace is not installed.")
    trace = tmp_path / "trace"
    command = [strace, "-f", "-o", str(trace), "-e", "trace=fdatasync,fsync,write", sys.executable, "-c", SCRIPT]
    done = subprocess.run([*command, str(tmp_path / "vix.db")], capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here.")
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"(fdatasync|fsync)\(|\"(asked|answered)", trace.read_text())
    story = " ".join("sync" if sync else word for sync, word in calls)
    between = re.findall(r"asked((?: sync)*) answered", story)
    assert len(between) == 5
    assert all(between), story


def test_the_log_is_whole_after_every_commit(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vix.db")
    store = JobStore(database)
    accepted: list[str] = []
    for number in range(12):
        accepted.append(store.submit(new_job(str(number))).job.id)
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("vix.db", "vix.db-wal"):  # what the disk holds at this moment
            shutil.copy(tmp_path / name, folder / name)
        # The next commit was being written when the power went.
        with (folder / "vix.db-wal").open("ab") as log:
            log.write(b"\x5a" * (number * 997 % 9000))
        copy = open_database(folder / "vix.db")
        copy.check()
        assert [JobStore(copy).get(job_id).id for job_id in accepted] == accepted
        copy.close()
    database.close()
