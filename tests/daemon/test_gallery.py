"""The gallery: its requests are good ones, and a sheet comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from daemon.commands.gallery import plates, run
from daemon.kinds.base import Sources
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from fonts_cache import FontCache
from render.ffmpeg import FFmpeg
from render.inspect import inspect_clip
from render.listen import Track
from render.spec import parse_template
from tests import media


def test_every_plate_is_a_good_request_that_shows_something() -> None:
    listed = plates()
    assert len({plate.name for plate in listed}) == len(listed) == 24
    for plate in listed:
        spec = parse_template(plate.spec)
        assert spec.text_overlays[0].text.strip()
        assert 0 < plate.at < spec.video.duration
        assert spec.video.style in ("light", "stars", "waves"), "the starter library's"


def test_a_sheet_is_written(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    for style in ("waves", "stars"):
        (tmp_path / "library" / "styles" / style).mkdir(parents=True)
        media.clip(tmp_path / "library" / "styles" / style / "a.mp4", rate="60", seconds=3)
    catalogue = Catalogue(tmp_path / "catalogue.json", lambda path: inspect_clip(path, ffmpeg))

    def nothing_to_hear(path: Path) -> Track:
        raise AssertionError(path)

    sources = Sources(
        Library(tmp_path / "library"), catalogue, FontCache(tmp_path / "fonts", system=()), nothing_to_hear
    )
    run(tmp_path / "out", sources, ffmpeg, plates()[:2])
    sheet = Image.open(tmp_path / "out" / "gallery.jpg")
    assert sheet.format == "JPEG"
    left = sheet.crop((14, 14, 14 + 270, 14 + 480))
    right = sheet.crop((298, 14, 298 + 270, 14 + 480))
    assert all(np.asarray(part).max() > 200 for part in (left, right))
