"""A yard to deploy in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployhook.yard import Yard, open_yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A first release is live."""
    if not all(shutil.which(program) for program in ("git", "curl", "setpriv", "flock")):
        pytest.skip("git, curl, setpriv and flock are needed to deploy.")
    with open_yard(tmp_path) as yard:
        yard.deploy()
        yield yard
