"""What is remembered about clips: looked at once, again when they change, shared, lost without harm."""

from __future__ import annotations

import json
import os
import re
from fractions import Fraction
from pathlib import Path

import pytest

from daemon.errors import NotLookedAt
from daemon.sources.catalogue import Catalogue, only_known
from render.errors import MediaError
from render.inspect import Inspection
from render.listen import Track
from render.probe import MediaInfo, VideoInfo

RATE = Fraction(60000, 1001)
VIDEO = VideoInfo(1080, 1920, Fraction(1), RATE, 600, Fraction(10), "yuv420p", "bt709", False, "hlg", "h264")


class Eyes:
    """Stands where clips are looked at and counts how often."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.defect = ""

    def __call__(self, clip: Path) -> Inspection:
        self.seen.append(clip.name)
        return Inspection(MediaInfo(clip, VIDEO, None), (0.25, 0.5), self.defect)


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"one")
    return path


def catalogue(tmp_path: Path, eyes: Eyes) -> Catalogue:
    """As another process opens it."""
    return Catalogue(tmp_path / "data" / "catalogue.json", eyes)


def test_a_clip_is_looked_at_once_by_all_processes(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    first = catalogue(tmp_path, eyes)
    assert first.inspection(clip) == first.inspection(clip)
    again = catalogue(tmp_path, eyes).inspection(clip)
    assert again == Inspection(MediaInfo(clip, VIDEO, None), (0.25, 0.5), "")
    assert eyes.seen == ["clip.mp4"]


def test_a_clip_that_changes_is_looked_at_again(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    known = catalogue(tmp_path, eyes)
    known.inspection(clip)
    clip.write_bytes(b"longer")
    known.inspection(clip)
    os.utime(clip, ns=(1, 1))
    known.inspection(clip)
    assert len(eyes.seen) == 3


def test_a_bad_clip_stays_bad_until_it_changes(
    tmp_path: Path, eyes: Eyes, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    eyes.defect = "it is black"
    assert catalogue(tmp_path, eyes).inspection(clip).defect == "it is black"
    assert "A clip is skipped." in caplog.text
    eyes.defect = ""
    assert catalogue(tmp_path, eyes).inspection(clip).defect == "it is black"
    clip.write_bytes(b"mended")
    assert catalogue(tmp_path, eyes).inspection(clip).defect == ""


def test_a_clip_that_failed_a_film_is_skipped_until_it_changes(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    worker = catalogue(tmp_path, eyes)
    worker.inspection(clip)
    worker.skip(clip, "it ended early")
    assert worker.inspection(clip).defect == "it ended early"
    assert catalogue(tmp_path, eyes).inspection(clip).defect == "it ended early"
    assert worker.inspection(clip).info == MediaInfo(clip, VIDEO, None)
    clip.write_bytes(b"mended")
    assert worker.inspection(clip).defect == ""


def test_a_clip_that_still_grows_is_looked_at_again(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    def look_while_it_is_copied(path: Path) -> Inspection:
        found = Inspection(None, (0.5, 0.5), "it is broken")
        path.write_bytes(b"complete by now")
        return found

    busy = Catalogue(tmp_path / "data" / "catalogue.json", look_while_it_is_copied)
    assert busy.inspection(clip).defect == "it is broken"
    assert catalogue(tmp_path, eyes).inspection(clip).defect == ""


def test_two_processes_keep_what_the_other_has_learned(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    other = tmp_path / "other.mp4"
    other.touch()
    one, two = catalogue(tmp_path, eyes), catalogue(tmp_path, eyes)
    one.inspection(clip)
    two.inspection(other)
    one.inspection(other)
    two.inspection(clip)
    assert eyes.seen == ["clip.mp4", "other.mp4"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            '{"version": 1}',
            '{"version": 1, "clips": []}',
            '{"version": 99, "clips": {}}',
            "\0" * 9,
        ),
        *('{"version": 1, "clips": {"CLIP": 3}}', '{"version": 1, "clips": {"CLIP": {"size": 3, "mtime_ns": 1}}}'),
    ],
)
def test_a_ruined_file_costs_a_look_and_nothing_else(tmp_path: Path, eyes: Eyes, clip: Path, text: str) -> None:
    (tmp_path / "data").mkdir()
    os.utime(clip, ns=(1, 1))
    (tmp_path / "data" / "catalogue.json").write_text(text.replace("CLIP", str(clip)))
    assert catalogue(tmp_path, eyes).inspection(clip).defect == ""
    assert catalogue(tmp_path, eyes).inspection(clip).defect == ""
    assert eyes.seen == ["clip.mp4"]


def test_clips_that_are_gone_are_forgotten(tmp_path: Path, eyes: Eyes, clip: Path) -> None:
    other = tmp_path / "other.mp4"
    other.touch()
    catalogue(tmp_path, eyes).inspection(other)
    other.unlink()
    catalogue(tmp_path, eyes).inspection(clip)
    assert list(json.loads((tmp_path / "data" / "catalogue.json").read_text())["clips"]) == [str(clip)]
    assert not list((tmp_path / "data").glob("*.part"))


def test_a_look_that_fails_is_no_verdict(tmp_path: Path, clip: Path) -> None:
    def fail(path: Path) -> Inspection:
        raise MediaError("no memory")

    known = Catalogue(tmp_path / "catalogue.json", fail)
    for _ in range(2):
        with pytest.raises(MediaError):
            known.inspection(clip)
    with pytest.raises(OSError, match="missing"):
        known.inspection(tmp_path / "missing.mp4")


def test_a_track_is_listened_to_once_and_then_known_to_who_never_listens(tmp_path: Path) -> None:
    track = tmp_path / "calm.wav"
    track.write_bytes(b"sound")
    looks: list[Path] = []

    def listen(path: Path) -> Track:
        looks.append(path)
        return Track(path, False, Fraction(1, 3), Fraction(70), (-14.5, -99.0), -1.25, True)

    catalogue = Catalogue(tmp_path / "catalogue.json", lambda path: pytest.fail("a track is no clip"))
    heard = catalogue.track(track, listen)
    assert catalogue.track(track, listen) == heard
    assert only_known(tmp_path / "catalogue.json").track(track, lambda path: pytest.fail("known")) == heard
    track.write_bytes(b"another sound")
    catalogue.track(track, listen)
    assert looks == [track, track]


def test_who_never_looks_says_so(tmp_path: Path) -> None:
    (tmp_path / "new.mp4").touch()
    with pytest.raises(NotLookedAt, match=re.escape('"new.mp4" was not looked at yet')):
        only_known(tmp_path / "catalogue.json").inspection(tmp_path / "new.mp4")
