"""The running web side that tests here talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.web.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house of the test's own."""
    with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house for all tests of a file that change nothing in it which another one looks at."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened
