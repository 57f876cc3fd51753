"""The debugging door: a stored Timeline is rendered again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from render.ffmpeg import FFmpeg
from render.probe import probe
from render.timeline import to_json
from tests import media
from tests.render.films import compiled

ROOT = Path(__file__).parents[2]


def door(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "render", *args], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_stored_timeline_is_rendered(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    clip = media.clip(tmp_path / "a.mp4", seconds=2)
    data = {"video": {"duration": 1}, "output": {"width": 128, "height": 228}, "text_overlays": [{"text": "again"}]}
    (tmp_path / "t.json").write_text(to_json(compiled(data, [clip], ffmpeg)))
    dry = door(str(tmp_path / "t.json"), str(tmp_path / "film.mp4"), "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "overlay=" in dry.stdout
    assert not (tmp_path / "film.mp4").exists()
    done = door(str(tmp_path / "t.json"), str(tmp_path / "film.mp4"))
    assert done.returncode == 0, done.stderr
    video = probe(tmp_path / "film.mp4", ffmpeg).video
    assert video is not None
    assert video.frames == 30


def test_what_is_no_timeline_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"version": 99}')
    done = door(str(tmp_path / "t.json"), str(tmp_path / "film.mp4"))
    assert done.returncode == 1
    assert done.stderr.startswith("render: timeline version 99")
