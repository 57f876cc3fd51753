"""What every row is given: options, the temporary folder, the environment of children, footage made on first use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import imageio_ffmpeg

from daemon.settings import load
from tests.benchmarks.footage import Footage, make_footage

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark. `seconds` is the length of the films; `repeat` the number of interleaved pairs."""

    folder: Path
    repeat: int = 3
    seconds: float = 20.0
    full: bool = False
    moviepy_python: Path | None = None
    sources: tuple[Path, ...] = ()

    @cached_property
    def ffmpeg(self) -> str:
        """The FFmpeg that ships: used for ours, for the limit, and for judging both."""
        return str(imageio_ffmpeg.get_ffmpeg_exe())

    @cached_property
    def threads(self) -> int:
        """Threads that the worker would choose here."""
        return load().chosen_threads()

    @cached_property
    def footage(self) -> Footage:
        """Clips, a track and a logo, as a library."""
        say("making the clips ...")
        return make_footage(self.folder / "library", self.ffmpeg, self.seconds / 2, self.sources)

    def new(self, name: str) -> Path:
        """A folder inside the temporary one."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def env(self, data: Path) -> dict[str, str]:
        """The environment of our own processes: all settings at their defaults but the folders, the
        port and the network."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VIX_") and name != "FFMPEG"}
        return kept | {
            "VIX_DATA": str(data),
            "VIX_LIBRARY": str(self.footage.library),
            "VIX_HOST": "127.0.0.1",
            "VIX_PORT": "0",
            "VIX_FONTS_ONLINE": "0",
            "VIX_THREADS": str(self.threads),
            "VIX_LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
        }


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """A command that runs a module of this repository."""
    return [sys.executable, "-P", "-m", module, *arguments]


def say(sentence: str) -> None:
    """Tell who waits what is going on."""
    print(f"  {sentence}", file=sys.stderr, flush=True)
