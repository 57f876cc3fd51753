"""The disk is full when the database is written: nothing is half written, reading goes on, and it heals by itself.

SQLite says "full" where the file system has no room, and "I/O error" where the kernel forbids a file to grow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import DiskFull
from daemon.store.database import Database, open_database
from tests.daemon.test_store_database import add, names


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("A small disk can only be made by root, where mounting is allowed.")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(database: Database) -> list[str]:
    """Write until there is no room; returns what was written."""
    for number in range(1000):
        try:
            add(database, str(number), "x" * 50_000)
        except DiskFull:
            return [str(earlier) for earlier in range(number)]
    raise AssertionError("the disk is not full")


def test_a_full_file_system(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 300_000)
    database = open_database(small_disk / "vix.db")
    written = fill(database)
    assert 0 < len(written) < 20
    assert names(database) == written
    with pytest.raises(DiskFull):
        add(database, "again", "x" * 500_000)
    (small_disk / "ballast").unlink()
    add(database, "there is room", "x" * 50_000)
    assert names(database) == [*written, "there is room"]
    database.check()
    database.close()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from daemon.store.database import open_database
from tests.daemon.test_store_database import add, names
from tests.faults.test_09_full_disk import fill
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = open_database(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
written = fill(database)
assert written and names(database) == written
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
add(database, "there is room", "x" * 50_000)
assert names(database) == [*written, "there is room"]
database.check()
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "v.db"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
