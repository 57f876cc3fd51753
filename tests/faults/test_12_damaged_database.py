"""The file of the database is damaged or cut off: Vix says so and does not start, and never serves what is not true."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.errors import DatabaseBroken, StoreError
from daemon.store.database import open_database
from tests.daemon.test_store_database import add, names

ROWS = [str(number) for number in range(60)]
SEED = 20260304


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 60 rows and some pages, all of it in its main file."""
    path = tmp_path_factory.mktemp("whole") / "vix.db"
    database = open_database(path)
    for name in ROWS:
        add(database, name, name * 400)
    database.close()
    assert not path.with_name("vix.db-wal").exists()
    return path


def open_and_check(path: Path) -> None:
    open_database(path).check()


def test_cut_off_anywhere(whole: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    content = whole.read_bytes()
    whole_pages = len(content) - 4096  # less than a page: SQLite reads zeros there, as after a cut in its own writing
    for cut in [1, 99, 511, 4095, whole_pages, *(chance.randrange(1, whole_pages) for _ in range(50))]:
        path = tmp_path / f"{cut}.db"
        path.write_bytes(content[:cut])
        print(f"cut at {cut} (seed {SEED})")
        with pytest.raises(DatabaseBroken):
            open_and_check(path)


def test_bytes_turned_round(whole: Path, tmp_path: Path) -> None:
    """What is inside a text cannot be noticed; whatever can be is reported as ours, and never as a driver's error."""
    chance = random.Random(SEED)
    content, noticed = whole.read_bytes(), 0
    for number in range(50):
        damaged = bytearray(content)
        begin = chance.randrange(len(content) - 64)
        damaged[begin : begin + 64] = bytes(byte ^ 0xFF for byte in damaged[begin : begin + 64])
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged)
        try:
            database = open_database(path)
            database.check()
            assert len(names(database)) == len(ROWS), f"turned at {begin} (seed {SEED})"
            database.close()
        except StoreError:
            noticed += 1
    assert noticed > 0


def test_a_log_that_is_cut_off_loses_its_end_and_nothing_else(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vix.db")
    for name in ROWS:
        add(database, name)
    log, file = tmp_path / "vix.db-wal", tmp_path / "vix.db"
    content, chance = log.read_bytes(), random.Random(SEED)
    for cut in [0, 1, *(chance.randrange(len(content)) for _ in range(20))]:
        folder = tmp_path / str(cut)
        folder.mkdir(exist_ok=True)
        shutil.copy(file, folder / "vix.db")
        (folder / "vix.db-wal").write_bytes(content[:cut])
        copy = open_database(folder / "vix.db")
        copy.check()
        assert names(copy) == ROWS[: len(names(copy))], f"cut at {cut} (seed {SEED})"
        copy.close()
    database.close()


def test_a_worker_does_not_start_and_says_why(whole: Path, tmp_path: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    (tmp_path / "vix.db").write_bytes(content)
    script = """
import sys
from daemon.errors import DatabaseCorrupt
from daemon.store.database import open_database
try:
    open_database(sys.argv[1]).check()
except DatabaseCorrupt as exc:
    print(exc)
    sys.exit(exc.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "vix.db"], capture_output=True, text=True)
    assert done.returncode == 78, done.stderr
    assert "backup" in done.stdout


def test_a_copy_put_in_its_place_is_used(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "vix.db"
    path.write_bytes(b"\xff" * 5000)
    with pytest.raises(DatabaseBroken):
        open_database(path)
    shutil.copy(whole, path)
    database = open_database(path)
    database.check()
    assert names(database) == ROWS
    database.close()
