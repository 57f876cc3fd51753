"""Fixtures for every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from render.ffmpeg import FFmpeg
from tests import media, servers
from tests.canaries import Listener


@pytest.fixture(scope="session", autouse=True)
def _nothing_secret_is_logged() -> Iterator[None]:
    """Holds for every test that runs in this process: no token and no secret of the far side's app is logged."""
    listener = Listener()
    logging.getLogger().addHandler(listener)
    yield
    logging.getLogger().removeHandler(listener)
    assert listener.leaks == []


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
