"""A small library, looked at once, and a service that tests share where they do not break it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, make_library, service


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The small library, made once for all of xdist's processes; tests must not change it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "shared-library"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "catalogue.json").exists():
            root = make_library(folder / "library")
            with service(folder / "scan", root) as scanner:
                assert scanner.command("library", "scan").returncode == 0
                shutil.copy(scanner.data / "catalogue.json", folder)
    return folder / "library"


@pytest.fixture
def own_library(library: Path, tmp_path: Path) -> Path:
    """A copy of the small library that a test may change, and of what is known about it."""
    own = Path(shutil.copytree(library, tmp_path / "own" / "library"))
    known = (library.parent / "catalogue.json").read_text()
    (own.parent / "catalogue.json").write_text(known.replace(str(library), str(own)))
    return own


@pytest.fixture(scope="module")
def running(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """API and worker, started by hand: only VIX_DATA tells one of the other."""
    with service(tmp_path_factory.mktemp("running"), library) as run:
        run.start_api()
        run.start_worker()
        yield run


@pytest.fixture
def halted(library: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own that is not started yet."""
    with service(tmp_path / "service", library) as run:
        yield run
