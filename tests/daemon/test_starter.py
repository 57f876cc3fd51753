"""The starter library: pictures that loop, music without clicks, a logo with room below, files complete or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.sources import starter
from daemon.sources.starter import light, logo, music, stars, waves
from render.ffmpeg import FFmpeg
from tests import media

REPO = Path(__file__).parents[2]
EXECUTABLE = media.FFMPEG
TINY = starter.Size(width=72, height=128, frames=24, music_s=4.0)
WIDTH, HEIGHT, COUNT = 108, 192, 48
Frames = Callable[[int, int, int, int], Iterator[NDArray[np.uint8]]]
STYLES: dict[str, Frames] = {"light": light.frames, "stars": stars.frames, "waves": waves.frames}


def film(style: str, seed: int, count: int = COUNT) -> NDArray[np.int16]:
    return np.array([frame.copy() for frame in STYLES[style](seed, WIDTH, HEIGHT, count)], np.int16)


@pytest.mark.parametrize(("style", "seed"), starter.CLIPS.values())
class TestClips:
    def test_a_seed_always_gives_the_same_frames(self, style: str, seed: int) -> None:
        first = film(style, seed, 3)
        assert first.shape == (3, HEIGHT * 3 // 2, WIDTH)
        assert (first == film(style, seed, 3)).all()
        assert (first != film(style, seed + 3, 3)).any()  # same palette, other shapes

    def test_it_moves_and_the_last_frame_flows_into_the_first(self, style: str, seed: int) -> None:
        luma = film(style, seed)[:, :HEIGHT]
        steps = np.abs(np.diff(luma, axis=0, append=luma[:1])).mean(axis=(1, 2))
        assert steps.min() > 0
        assert steps[-1] <= steps[:-1].max() * 1.05
        assert steps.max() <= np.median(steps) * 2.5

    def test_it_is_dark_enough_for_white_words_and_not_black(self, style: str, seed: int) -> None:
        luma = film(style, seed, 8)[:, :HEIGHT]
        assert 20 <= luma.mean() <= 60
        assert luma.std() > 6
        words = luma[:, HEIGHT * 2 // 5 : HEIGHT * 3 // 5]
        assert words.mean() <= 60
        assert np.percentile(words, 99) <= 135

    def test_flat_dark_places_are_dithered(self, style: str, seed: int) -> None:
        luma = film(style, seed, 1)[0, :HEIGHT]
        patches = (
            luma[: HEIGHT // 12 * 12, : WIDTH // 12 * 12].reshape(HEIGHT // 12, 12, WIDTH // 12, 12).std(axis=(1, 3))
        )
        assert patches.min() > 0.5


@pytest.mark.parametrize("name", music.BEDS)
class TestMusic:
    SECONDS = 30.0

    @staticmethod
    @cache
    def sound(name: str) -> NDArray[np.float32]:
        return music.BEDS[name](TestMusic.SECONDS)

    def test_length_level_and_no_clicks(self, name: str) -> None:
        sound = self.sound(name)
        assert sound.shape == (round(self.SECONDS * 48_000), 2)
        assert np.isfinite(sound).all()
        assert 0.3 < np.abs(sound).max() <= music.CEILING
        assert -20 < 20 * np.log10(sound.std()) < -13
        # What is heard from 10 kHz up in a click is not in these instruments: look at the second difference.
        bend = np.abs(np.diff(np.concatenate([sound, sound[:2]]), n=2, axis=0))
        assert bend.max() < 0.05
        assert bend[-2:].max() <= bend[:-2].max()

    def test_both_sides_sound_and_differ(self, name: str) -> None:
        left, right = self.sound(name).T
        assert 0.5 < left.std() / right.std() < 2
        assert 0.1 < np.corrcoef(left, right)[0, 1] < 0.95


def test_the_logo_is_centred_with_a_glow_and_leaves_room_for_a_signature() -> None:
    picture = np.asarray(logo.draw())
    assert picture.shape == (600, 600, 4)
    colour, alpha = picture[:, :, :3], picture[:, :, 3]
    assert alpha[438:].max() == 0
    assert max(alpha[0].max(), alpha[:, 0].max(), alpha[:, -1].max()) == 0
    columns = np.flatnonzero(alpha.max(axis=0))
    assert abs((columns[0] + columns[-1]) / 2 - 299.5) <= 1
    assert (colour[alpha == 255] > 250).any()
    assert ((alpha > 20) & (colour.max(axis=2) < 40)).sum() > 2_000


def ended(process: subprocess.Popen[bytes]) -> str:
    out, _ = process.communicate(timeout=120)
    return out.decode()


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `make(root, size)`, and what `after` says, in a process of its own, which does not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(root: Path, size: starter.Size, after: str = "") -> subprocess.Popen[bytes]:
        call = f"starter.make(Path(sys.argv[1]), FFmpeg(sys.argv[2]), size=starter.{size!r})"
        imports = (
            "import sys; from pathlib import Path; from daemon.sources import starter; from render.ffmpeg import FFmpeg"
        )
        arguments = [sys.executable, "-c", "\n".join((imports, call, after)), str(root), EXECUTABLE]
        started.append(subprocess.Popen(arguments, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def streams(path: Path) -> str:
    """What FFmpeg says about a file that it could decode to the end without a complaint."""
    ffmpeg = FFmpeg(EXECUTABLE)
    assert ffmpeg.capture(["-v", "error", "-i", f"file:{path}", "-f", "null", "-"], wall_s=60).stderr == ""
    return ffmpeg.capture(["-i", f"file:{path}"], wall_s=60, check=False).stderr


def running_in(root: Path) -> list[str]:
    """Command lines of live processes that mention `root`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(root) in line and int(folder.name) != os.getpid():
            found.append(line)
    return found


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class TestMake:
    def test_every_file_is_there_plays_and_is_made_once(self, tmp_path: Path) -> None:
        said: list[tuple[float, str]] = []
        ffmpeg = FFmpeg(EXECUTABLE)
        starter.make(tmp_path, ffmpeg, lambda done, file: said.append((done, file)), size=TINY)
        made = {
            str(p.relative_to(tmp_path)): p.stat().st_mtime_ns for p in tmp_path.rglob("*.*") if p.suffix != ".lock"
        }
        assert set(made) == set(starter.FILES)
        for file in starter.CLIPS:
            text = streams(tmp_path / file)
            assert "h264 (High)" in text
            assert "yuv420p(tv, bt709, progressive), 72x128" in text
            assert "60 fps" in text
            assert "Duration: 00:00:00.40" in text
        for file in starter.BEDS:
            text = streams(tmp_path / file)
            assert "aac (LC)" in text
            assert "48000 Hz, stereo" in text
            assert "Duration: 00:00:04.0" in text
        assert [done for done, _ in said] == sorted(done for done, _ in said)
        assert said[-1][0] == pytest.approx(1)
        assert {file for _, file in said} == set(starter.FILES)

        (tmp_path / starter.LOGO).unlink()
        starter.make(tmp_path, ffmpeg, size=TINY)
        again = {file: (tmp_path / file).stat().st_mtime_ns for file in starter.FILES}
        assert [file for file in made if made[file] != again[file]] == [starter.LOGO]

    def test_the_caller_never_loads_numpy(self, tmp_path: Path, start: Start) -> None:
        for file in starter.FILES[1:]:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        maker = start(tmp_path, TINY, "print(sorted({'numpy', 'cv2', 'PIL'} & set(sys.modules)))")
        assert ended(maker).strip() == "[]"
        assert maker.returncode == 0
        assert (tmp_path / starter.FILES[0]).exists()

    def test_killed_in_the_middle_it_leaves_parts_only_and_completes_later(self, tmp_path: Path, start: Start) -> None:
        maker = start(tmp_path, starter.Size(270, 480, 20_000, 4.0))
        wait_until(lambda: any(part.stat().st_size for part in tmp_path.rglob("*.mp4.part")))
        maker.send_signal(signal.SIGKILL)
        ended(maker)
        wait_until(lambda: not running_in(tmp_path))
        assert not list(tmp_path.rglob("*.mp4"))
        assert list(tmp_path.rglob("*.mp4.part"))

        again = start(tmp_path, TINY)
        assert ended(again) == ""
        assert again.returncode == 0
        assert all((tmp_path / file).exists() for file in starter.FILES)
        assert not list(tmp_path.rglob("*.part"))

    def test_a_killed_child_is_an_error_and_stops_the_others(self, tmp_path: Path, start: Start) -> None:
        maker = start(tmp_path, starter.Size(270, 480, 20_000, 4.0))
        wait_until(lambda: any(part.stat().st_size for part in tmp_path.rglob("*.mp4.part")))
        children = [int(p) for p in Path(f"/proc/{maker.pid}/task/{maker.pid}/children").read_text().split()]
        os.kill(children[0], signal.SIGKILL)
        assert "StarterError" in ended(maker)
        assert maker.returncode == 1
        wait_until(lambda: not running_in(tmp_path))
        assert not list(tmp_path.rglob("*.mp4"))

    def test_the_error_says_what_the_child_said(self, tmp_path: Path) -> None:
        with pytest.raises(starter.StarterError, match=r"styles/.*cannot be started \(/no/such/ffmpeg\)") as caught:
            starter.make(tmp_path, FFmpeg("/no/such/ffmpeg"), size=TINY)
        assert "/no/such/ffmpeg" in caught.value.tail
        assert not [path for path in tmp_path.rglob("*") if path.suffix in {".mp4", ".part"}]
