"""What the commands build from the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import __version__
from daemon.commands import wiring
from daemon.commit import running_commit
from daemon.settings import Settings


def test_what_another_version_has_prepared_is_prepared_anew(tmp_path: Path) -> None:
    program = wiring.prepared_files(Settings(data=tmp_path)).program
    assert __version__ in program
    assert running_commit() in program


NOBODY = 65_534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_root_types_leaves_no_file_of_roots(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The service could not open them any more. The program has to be where its owner may read it."""
    place = tmp_path_factory.mktemp("installed")
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o711)
    for package in ("daemon", "render", "fonts_cache"):
        shutil.copytree(Path(wiring.__file__).parents[2] / package, place / package)
    data = place / "data"
    data.mkdir(0o700)
    os.chown(data, NOBODY, NOBODY)
    command = [sys.executable, "-m", "daemon", "keys", "create", "typed by root"]
    environment = {**os.environ, "VIX_DATA": str(data), "PYTHONPATH": str(place)}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if "may not read" in done.stderr:
        pytest.skip("this machine's Python is for root alone")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("catv_")
    made = list(data.rglob("*"))
    assert made
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(NOBODY, NOBODY)}
