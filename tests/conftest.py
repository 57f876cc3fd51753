"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from render.ffmpeg import FFmpeg
from tests import media, servers


@pytest.fixture(scope="session")
def ffmpeg() -> FFmpeg:
    """The FFmpeg that ships."""
    return FFmpeg(media.FFMPEG)


@pytest.fixture(params=servers.DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where an empty database is: once for each kind that is there."""
    with servers.fresh_database(request.param, tmp_path) as target:
        yield target


@pytest.fixture(params=servers.QUEUES)
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where an empty queue is: once for each kind that is there."""
    with servers.fresh_queue(request.param, tmp_path) as target:
        yield target
