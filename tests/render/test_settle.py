"""A settled file is there whole or not at all, on the same file system and on another."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from render.settle import settle

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


def written(path: Path, data: bytes = b"film" * 1000) -> Path:
    path.write_bytes(data)
    return path


def test_a_new_name(tmp_path: Path) -> None:
    part, out = written(tmp_path / "part"), written(tmp_path / "out.mp4", b"an older film")
    inode = part.stat().st_ino
    settle(part, out)
    assert out.read_bytes() == b"film" * 1000
    assert out.stat().st_ino == inode
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    part = written(elsewhere / "part")
    part.chmod(0o640)
    settle(part, tmp_path / "out.mp4")
    assert stat.S_IMODE((tmp_path / "out.mp4").stat().st_mode) == 0o640
    assert (tmp_path / "out.mp4").read_bytes() == b"film" * 1000
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert os.listdir(elsewhere) == []


def test_a_copy_that_fails_leaves_nothing_there_and_all_here(tmp_path: Path, elsewhere: Path) -> None:
    part = written(elsewhere / "part")
    (tmp_path / "out.mp4").mkdir()  # a file cannot replace a folder
    with pytest.raises(OSError, match=r"out\.mp4"):
        settle(part, tmp_path / "out.mp4")
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert part.read_bytes() == b"film" * 1000


def test_no_folder(tmp_path: Path) -> None:
    part = written(tmp_path / "part")
    with pytest.raises(FileNotFoundError):
        settle(part, tmp_path / "none" / "out.mp4")
    assert part.exists()
