"""The process that draws previews: whatever happens to it, one request fails at most, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from daemon.errors import PreviewBusy, PreviewFailed, PreviewImpossible
from daemon.previews import MOST_WAITING, Previews
from render.ffmpeg import FFmpeg
from render.still import still
from render.timeline import Layer, Picture, Timeline
from tests import media
from tests.processes import alive, comes, gone
from tests.render.films import compiled

BLACK = Timeline(128, 128, Fraction(30), 30, ())
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Previews]]:
    """Makes previews, and ends them."""
    made: list[Previews] = []

    def one(executable: str = "", **seconds: float) -> Previews:
        made.append(Previews(lambda: executable or imageio_ffmpeg.get_ffmpeg_exe(), tmp_path / "preview", **seconds))
        return made[-1]

    yield one
    for previews in made:
        previews.close()


def with_a_picture(path: Path) -> Timeline:
    return Timeline(128, 128, Fraction(30), 30, (Layer(Picture(path), 0, 30),))


def test_one_process_serves_many(make: Callable[..., Previews]) -> None:
    previews = make()
    assert previews.pid is None
    assert previews.picture(BLACK, 3).png.startswith(PNG)
    first = previews.pid
    assert previews.picture(BLACK, 4).png.startswith(PNG)
    assert previews.spots(BLACK) == []
    assert previews.pid == first is not None


def test_what_needs_a_child_of_its_own_is_drawn_confined_as_well(
    make: Callable[..., Previews], tmp_path: Path, ffmpeg: FFmpeg
) -> None:
    """Frames made by optical flow, and what legibility looks at."""
    clip = media.clip(tmp_path / "a.mp4", rate="24", seconds=2)
    video = {"duration": 2, "speed": 0.5, "smooth": "flow"}
    words = {"text": "Read me", "legibility": "auto"}
    size = {"width": 270, "height": 480}
    timeline = compiled({"video": video, "text_overlays": [words], "output": size}, [clip], ffmpeg)
    previews = make()
    first = previews.picture(timeline, 15).png
    (tmp_path / "work").mkdir()
    assert first == still(timeline, 15, tmp_path / "work", ffmpeg).png
    assert previews.picture(timeline, 15).png == first


def test_a_film_that_cannot_be_made_is_no_fault_of_ours(make: Callable[..., Previews], tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"none")
    previews = make()
    for ask in (lambda film: previews.picture(film, 0), previews.spots):
        with pytest.raises(PreviewImpossible, match=r"logo\.png") as raised:
            ask(with_a_picture(tmp_path / "logo.png"))
        assert raised.value.code == "bad_text"


def test_one_that_was_killed_is_replaced(make: Callable[..., Previews]) -> None:
    previews = make()
    previews.picture(BLACK, 0)
    first = previews.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert comes(lambda: previews.pid is None)
    assert previews.picture(BLACK, 0).png.startswith(PNG)
    assert previews.pid not in (None, first)


def test_one_that_hangs_is_given_up(make: Callable[..., Previews]) -> None:
    previews = make(request_s=1)
    previews.spots(BLACK)
    first = previews.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(PreviewFailed):
        previews.spots(BLACK)
    assert not alive(first)
    assert previews.spots(BLACK) == []


def test_who_is_asked_while_it_hangs(make: Callable[..., Previews]) -> None:
    """A stopped process answers nobody: some wait, the others hear at once that there is no place."""
    previews = make()
    previews.picture(BLACK, 0)
    assert previews.pid is not None
    os.kill(previews.pid, signal.SIGSTOP)
    said: list[type[Exception]] = []

    def ask() -> None:
        try:
            previews.picture(BLACK, 0)
        except (PreviewBusy, PreviewFailed) as exc:
            said.append(type(exc))

    threads = [threading.Thread(target=ask) for _ in range(2 + MOST_WAITING)]
    for thread in threads:
        thread.start()
    assert comes(lambda: said)
    assert said == [PreviewBusy]
    previews.close()
    for thread in threads:
        thread.join(30)
    assert said[1:] == [PreviewFailed] * (1 + MOST_WAITING), "closed, it starts no other"


def odd_ffmpeg(tmp_path: Path, script: str) -> str:
    """An FFmpeg that does something else first, while the file `odd` is there."""
    real = Path(imageio_ffmpeg.get_ffmpeg_exe())
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").symlink_to(real.parent)
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text(f'#!/bin/sh\n[ -e {tmp_path}/odd ] && {script}\nexec {real} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "odd").touch()
    return str(program)


@pytest.mark.parametrize("script", ["kill -9 $PPID", "exec sleep 60"], ids=["killed", "hangs"])
def test_what_befalls_one_request_ends_with_it(make: Callable[..., Previews], tmp_path: Path, script: str) -> None:
    previews = make(odd_ffmpeg(tmp_path, script), request_s=3)
    previews.spots(BLACK)
    with pytest.raises(PreviewFailed):
        previews.picture(BLACK, 0)
    first = previews.pid
    assert first is not None, "only the child of that request has died"
    (tmp_path / "odd").unlink()
    assert previews.picture(BLACK, 0).png.startswith(PNG)
    assert previews.pid == first


def test_it_ends_when_nobody_asks(make: Callable[..., Previews]) -> None:
    previews = make(idle_s=0.2)
    previews.spots(BLACK)
    assert comes(lambda: previews.pid is None)
    assert previews.spots(BLACK) == []


def test_it_dies_with_whoever_asks(tmp_path: Path) -> None:
    code = f"""
import os, signal
from fractions import Fraction
from pathlib import Path
from daemon.previews import Previews
from render.timeline import Timeline
previews = Previews(lambda: "/none", Path({str(tmp_path)!r}))
previews.spots(Timeline(128, 128, Fraction(30), 30, ()))
print(previews.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_it_is_gone_when_closed(make: Callable[..., Previews]) -> None:
    previews = make()
    previews.spots(BLACK)
    pid = previews.pid
    assert pid is not None
    previews.close()
    assert not alive(pid)
    with pytest.raises(PreviewFailed):
        previews.spots(BLACK)
