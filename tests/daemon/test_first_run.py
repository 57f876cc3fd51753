"""The starter clips are made where a library is empty, and nothing is touched where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.sources import starter
from daemon.sources.first_run import fill_if_empty
from daemon.sources.library import Library
from render.ffmpeg import FFmpeg


def complete(root: Path) -> None:
    """Every file of the starter library, as empty files: what exists is not made again."""
    for name in starter.FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def listing(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_library_with_a_clip_stays_as_it_is(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    (tmp_path / "styles" / "mine").mkdir(parents=True)
    (tmp_path / "styles" / "mine" / "a.mp4").touch()
    assert not fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: None)
    assert listing(tmp_path) == ["styles/mine/a.mp4"]


def test_a_flat_folder_of_clips_stays_as_it_is(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    (tmp_path / "a.mov").touch()
    assert not fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: None)
    assert listing(tmp_path) == ["a.mov"]


def test_what_was_interrupted_goes_on(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    complete(tmp_path)
    (tmp_path / starter.LOGO).unlink()
    (tmp_path / ".starter-unfinished").touch()
    said: list[float] = []
    assert fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: said.append(share))
    assert (tmp_path / starter.LOGO).stat().st_size > 0
    assert said[-1] == 1
    assert not (tmp_path / ".starter-unfinished").exists()
    assert not fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: None)


def test_a_failure_is_made_good_the_next_time(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    with pytest.raises(starter.StarterError):
        fill_if_empty(Library(tmp_path), FFmpeg("/nonexistent"), lambda share, words: None)
    assert [name for name in listing(tmp_path) if name.endswith((".mp4", ".part"))] == []
    complete(tmp_path)
    assert fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: None)


def test_somebody_elses_clip_that_came_meanwhile_does_not_stop_it(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    complete(tmp_path)
    (tmp_path / "styles" / "mine").mkdir()
    (tmp_path / "styles" / "mine" / "a.mp4").touch()
    (tmp_path / ".starter-unfinished").touch()
    assert fill_if_empty(Library(tmp_path), ffmpeg, lambda share, words: None)
    assert "styles/mine/a.mp4" in listing(tmp_path)
