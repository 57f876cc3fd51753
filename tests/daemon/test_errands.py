"""Errands on a real catalogue: they look, let be picked again, give way to films, and open skipped clips alone."""

from __future__ import annotations

import socket
from fractions import Fraction
from pathlib import Path

import pytest

from daemon.errands import Errands
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from daemon.store.database import Database
from daemon.store.errands import ErrandStore
from render.errors import FFmpegLost, MediaError
from render.inspect import Inspection
from render.listen import Track
from render.probe import MediaInfo, VideoInfo

RATE = Fraction(30)


class House:
    """A library of two styles, whose clips show what their names say; `looked` are those that were opened."""

    def __init__(self, root: Path, database: Database) -> None:
        self.looked: list[str] = []
        self.library = Library(root / "library")
        for name in ("waves/good.mp4", "waves/frozen.mp4", "stars/broken.mp4", "stars/short.mp4"):
            path = self.library.root / "styles" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self.catalogue = Catalogue(root / "catalogue.json", self.look)
        self.store = ErrandStore(database)
        self.errands = Errands(self.store, self.library, self.catalogue, self.listen)

    def look(self, path: Path) -> Inspection:
        self.looked.append(path.name)
        if path.name == "lost.mp4":
            raise FFmpegLost("FFmpeg is gone")
        if path.name == "odd.mp4":
            raise ZeroDivisionError("canary")
        defects = {"frozen.mp4": "its picture does not move", "short.mp4": "it is too short", "broken.mp4": "broken"}
        length_s = Fraction(1, 2) if path.name == "short.mp4" else Fraction(1)
        video = VideoInfo(1080, 1920, Fraction(1), RATE, 30, length_s, "yuv420p", "bt709", False, "sdr", "h264")
        info = None if path.name == "broken.mp4" else MediaInfo(path, video, None)
        return Inspection(info, (0.5, 0.5), defects.get(path.name, ""))

    def listen(self, path: Path) -> Track:
        self.looked.append(path.name)
        if path.name == "noise.mp3":
            raise MediaError("noise.mp3 holds no sound")
        blocks = (-99.0,) * 25 if path.name == "silence.mp3" else (-16.04,) * 25
        return Track(path, False, Fraction(0), Fraction(10), blocks, -3.0, False)

    def answer(self) -> dict[str, object]:
        answer = self.store.recent(1)[0].answer
        assert answer is not None
        return answer


@pytest.fixture
def house(tmp_path: Path, vix_database: Database) -> House:
    return House(tmp_path, vix_database)


def never() -> bool:
    return False


def test_a_scan_looks_at_every_clip_once(house: House) -> None:
    assert not house.errands.run_next(never)
    house.store.ask("scan")
    assert house.errands.run_next(never)
    assert sorted(house.looked) == ["broken.mp4", "frozen.mp4", "good.mp4", "short.mp4"]
    assert house.answer() == {
        "host": socket.gethostname(),
        "styles": [
            {
                "name": "stars",
                "usable": 0,
                "seconds": 0.0,
                "skipped": [
                    {"clip": "broken.mp4", "reason": "broken"},
                    {"clip": "short.mp4", "reason": "it is too short"},
                ],
            },
            {
                "name": "waves",
                "usable": 1,
                "seconds": 1.0,
                "skipped": [{"clip": "frozen.mp4", "reason": "its picture does not move"}],
            },
        ],
        "tracks": [],
    }
    assert not house.errands.run_next(never)


def test_a_scan_listens_to_every_track_and_gives_way_before_each(house: House) -> None:
    (house.library.root / "audio").mkdir()
    for name in ("calm.mp3", "noise.mp3", "silence.mp3"):
        (house.library.root / "audio" / name).touch()
    house.store.ask("scan")
    assert not house.errands.run_next(lambda: len(house.looked) == 5)
    assert house.looked[-1] == "calm.mp3"
    assert house.errands.run_next(never)
    assert house.answer()["tracks"] == [
        {"name": "calm.mp3", "usable": True, "seconds": 10.0, "loudness_lufs": -16.0},
        {"name": "noise.mp3", "usable": False, "reason": "noise.mp3 holds no sound"},
        {"name": "silence.mp3", "usable": True, "seconds": 10.0, "loudness_lufs": None},
    ]


def test_a_scan_gives_way_and_goes_on_where_it_was(house: House) -> None:
    house.store.ask("scan")
    # A film comes in while the second new clip is looked at.
    assert not house.errands.run_next(lambda: len(house.looked) == 2)
    assert house.store.recent(1)[0].done_at is None
    assert len(house.looked) == 2
    assert house.errands.run_next(lambda: len(house.looked) == 5)
    assert sorted(house.looked) == ["broken.mp4", "frozen.mp4", "good.mp4", "short.mp4"]
    assert len(house.answer()["styles"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("clip", "usable"), [("waves/frozen.mp4", True), ("stars/broken.mp4", False), ("stars/short.mp4", False)]
)
def test_only_what_can_be_shown_is_unskipped(house: House, clip: str, usable: bool) -> None:
    house.store.ask("scan")
    house.errands.run_next(never)
    house.store.ask("unskip", f"styles/{clip}")
    assert house.errands.run_next(never)
    assert house.answer()["usable"] is usable
    path = house.library.root / "styles" / clip
    assert bool(house.catalogue.inspection(path).defect) is not usable
    assert (path in house.catalogue.skipped()) is not usable


def test_a_clip_that_changes_after_it_was_unskipped_is_judged_anew(house: House) -> None:
    path = house.library.root / "styles" / "waves" / "frozen.mp4"
    house.catalogue.inspection(path)
    house.store.ask("unskip", "styles/waves/frozen.mp4")
    house.errands.run_next(never)
    path.write_bytes(b"another")
    assert house.catalogue.inspection(path).defect


@pytest.mark.parametrize("argument", ["", "/etc/passwd", "../secret", "styles/waves/good.mp4", "styles/waves/gone.mp4"])
def test_no_other_file_is_opened(house: House, argument: str) -> None:
    house.store.ask("scan")
    house.errands.run_next(never)
    house.looked.clear()
    house.store.ask("unskip", argument)
    assert house.errands.run_next(never)
    assert "error" in house.answer()
    assert house.looked == []


def test_what_goes_wrong_is_the_answer(house: House) -> None:
    (house.library.root / "styles" / "waves" / "lost.mp4").touch()
    house.store.ask("scan")
    assert house.errands.run_next(never)
    assert house.answer() == {"host": socket.gethostname(), "error": "FFmpeg is gone"}


def test_what_nobody_foresaw_is_the_answer_at_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    (house.library.root / "styles" / "waves" / "odd.mp4").touch()
    house.store.ask("scan")
    assert house.errands.run_next(never)
    assert "log" in str(house.answer()["error"])
    assert "canary" not in str(house.answer())
    assert "canary" in caplog.text
    assert not house.errands.run_next(never)


def test_an_errand_of_a_newer_program_is_not_done_for_ever(house: House) -> None:
    house.store.ask("polish")
    assert house.errands.run_next(never)
    assert "polish" in str(house.answer()["error"])
