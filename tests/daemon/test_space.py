"""Room for a film and the reserve, on the real file system: what is free is never assumed, only asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from daemon.estimate import work
from daemon.jobs import FULL_HD_PX
from daemon.limits import LEAST_FREE_BYTES
from daemon.worker.space import Ballast, Space, free_bytes, most_bytes, needed_bytes

HOUR_OF_FILM = work(3600, 1080 * 1920, 30, "social")


def missing_bytes(folder: Path) -> int:
    """So much more than is free that the disk still has it."""
    used = shutil.disk_usage(folder).used
    if used < 2**30:
        pytest.skip("needs a disk of which a GB is used")
    return used // 2


def test_a_longer_a_larger_and_a_better_film_needs_more() -> None:
    needs = [
        needed_bytes(work(*film))
        for film in (
            (0, 1080 * 1920, 30, "social"),
            (15, 540 * 960, 30, "social"),
            (15, 1080 * 1920, 30, "social"),
            (15, 1080 * 1920, 60, "social"),
            (15, 1080 * 1920, 60, "high"),
            (3600, 1080 * 1920, 60, "high"),
        )
    ]
    assert needs[0] == LEAST_FREE_BYTES
    assert needs == sorted(set(needs))
    minute = needed_bytes(work(60, 1080 * 1920, 30, "social")) - LEAST_FREE_BYTES
    assert minute == 60 * 2**20, "30 MB, and as much again while it is made"


def test_the_fullest_folder_counts(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path) - shutil.disk_usage(tmp_path).free) < 2**30
    with pytest.raises(FileNotFoundError):
        free_bytes(tmp_path, tmp_path / "gone")


def test_room_is_asked_for_before_a_film_has_to_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []
    missing = missing_bytes(tmp_path)
    space = Space(tmp_path, tmp_path, least_bytes=free_bytes(tmp_path) + missing, make_room=asked.append)
    assert space.choose([0]) is None
    assert space.choose([0]) is None
    assert len(asked) == 1, "not each second anew"
    assert abs(asked[0] - missing) < missing / 2, "as much as is missing"
    assert [record.__dict__["action"] for record in caplog.records] == ["disk_full"]
    assert Space(tmp_path, tmp_path, least_bytes=0, make_room=asked.append).choose([0]) == 0
    assert len(asked) == 1


def test_room_is_made_for_each_in_its_turn(tmp_path: Path) -> None:
    """The first gets none, since removing films would not be enough for it."""
    asked: list[int] = []
    missing = missing_bytes(tmp_path)
    space = Space(tmp_path, tmp_path, least_bytes=free_bytes(tmp_path), make_room=asked.append)
    bytes_per_work = 2**20 / FULL_HD_PX
    works = [missing / bytes_per_work, missing / 4 / bytes_per_work]
    assert space.choose(works) is None
    assert len(asked) == 2
    assert asked[1] < asked[0]


def test_nothing_waits_where_nothing_is_asked_for(tmp_path: Path) -> None:
    assert Space(tmp_path, tmp_path).choose([]) is None


def test_one_that_never_fits_is_chosen_without_making_room(tmp_path: Path) -> None:
    asked: list[int] = []
    least = shutil.disk_usage(tmp_path).total + 1
    space = Space(tmp_path, tmp_path, least_bytes=least, make_room=asked.append)
    assert space.choose([0]) == 0
    found = space.never_fits(0)
    assert found
    assert (found.needed_bytes, found.disk_bytes) == (least, most_bytes(tmp_path))
    assert asked == []


def test_after_a_film_did_not_fit_there_must_be_more_room_for_a_while(tmp_path: Path) -> None:
    space = Space(tmp_path, tmp_path, least_bytes=2**34, pause_s=3600)
    if space.choose([0]) is None:
        pytest.skip("needs 16 GB of free disk")
    space.ran_out()
    assert space.choose([0]) is None
    brief = Space(tmp_path, tmp_path, least_bytes=2**34, pause_s=0)
    brief.ran_out()
    assert brief.choose([0]) == 0


class TestBallast:
    def test_it_takes_real_room_and_gives_it_back(self, tmp_path: Path) -> None:
        path = tmp_path / "ballast"
        ballast = Ballast(path, 2**20)
        assert ballast.load()
        assert path.stat().st_blocks * 512 >= 2**20, "a sparse file would hold no room"
        assert ballast.load()
        assert ballast.drop()
        assert not path.exists()
        assert not ballast.drop()
        assert ballast.load()

    def test_one_that_was_cut_short_is_made_again(self, tmp_path: Path) -> None:
        path = tmp_path / "ballast"
        path.write_bytes(b"short")
        assert Ballast(path, 2**20).load()
        assert path.stat().st_size == 2**20

    def test_it_is_not_made_where_it_would_fill_the_disk(self, tmp_path: Path) -> None:
        ballast = Ballast(tmp_path / "ballast", shutil.disk_usage(tmp_path).free // 2 + 2**32)
        assert not ballast.load()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_gone_is_no_crash(self, tmp_path: Path) -> None:
        assert not Ballast(tmp_path / "gone" / "ballast", 2**20).load()
