"""What the commands build from the settings."""

from __future__ import annotations

from pathlib import Path

from daemon import __version__
from daemon.commands import wiring
from daemon.commit import running_commit
from daemon.settings import Settings


def test_what_another_version_has_prepared_is_prepared_anew(tmp_path: Path) -> None:
    program = wiring.prepared_files(Settings(data=tmp_path)).program
    assert __version__ in program
    assert running_commit() in program
