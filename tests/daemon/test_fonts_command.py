"""`vix fonts` as it is typed, and a film with a font from a stand-in of Google Fonts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daemon.commands.fonts import fonts
from daemon.errors import VixError
from daemon.kinds.template import prepare
from daemon.sources.google_fonts import fetcher
from fonts_cache import FontCache, GoogleFonts, Routes
from render.ffmpeg import FFmpeg
from render.timeline import Text
from tests.daemon.material import make_library, sources
from tests.fakes.google_fonts import fake_google
from tests.fonts_cache.faces import make_font


def test_fetched_listed_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def font(family: str, weight: int, italic: bool) -> bytes:
        return make_font(tmp_path / "made.ttf", family, weight, italic).read_bytes()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(fonts, arguments)

    with fake_google(font) as google:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("VIX_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("VIX_FONTS_URL", google.url)
        assert run("get", "Inter:700i", "Lobster Two").exit_code == 0
        assert (tmp_path / "data" / "google_fonts" / "Inter-700i.ttf").is_file()
        assert "Inter: 700i, fetched, " in run("list", "int").output
        assert "Anton: 400\n" in run("list").output
        assert "0 faces" in run("prune", "--most-mb", "0").output, "they were used just now"
        about = json.loads((tmp_path / "data" / "google_fonts" / "Inter-700i.json").read_text())
        assert about["url"] == f"{google.url}/s/Inter-700i.ttf"
        wrong = run("get", "Intter")
        assert isinstance(wrong.exception, VixError)
        assert "Did you mean Inter" in str(wrong.exception)
        assert isinstance(run("get", "Inter:bold").exception, VixError)
        monkeypatch.setenv("VIX_FONTS_ONLINE", "false")
        assert "VIX_FONTS_ONLINE" in str(run("get", "Inter").exception)
        assert "Inter: 700i" in run("list").output, "what was fetched stays usable"


def test_a_film_fetches_its_fonts_and_names_what_it_did_without(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    def font(family: str, weight: int, italic: bool) -> bytes:
        return make_font(tmp_path / "made.ttf", family, weight, italic, chars="Hi").read_bytes()

    found = sources(make_library(tmp_path / "library"), ffmpeg)
    with fake_google(font) as google:
        online = GoogleFonts(tmp_path / "google", Routes(google.url), fetcher(google.url, []))
        found = replace(found, fonts=FontCache(tmp_path / "fonts", system=(), google=online))
        texts = [{"text": "Hi", "font": name, "font_weight": 700} for name in ("Inter", "Lobster Three", "Impact")]
        spec = {"output": {"width": 128, "height": 128}, "video": {"duration": 2}, "text_overlays": texts}
        film = prepare(spec, 1, found)
    used = [layer.content.fonts[0].name for layer in film.timeline.layers if isinstance(layer.content, Text)]
    assert used == ["Inter-700.ttf", "Arimo-Bold.ttf", "Anton-Regular.ttf"]
    assert [note.split(" ")[0] for note in film.warnings] == ["Lobster", "Impact"]
