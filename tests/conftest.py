"""Fixtures for every test."""

from __future__ import annotations

import pytest

from render.ffmpeg import FFmpeg
from tests import media


@pytest.fixture(scope="session")
def ffmpeg() -> FFmpeg:
    """The FFmpeg that ships."""
    return FFmpeg(media.FFMPEG)
