"""Google Fonts that has moved files, refuses a key or one face, or is another server than yesterday."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sources.google_fonts import fetcher
from fonts_cache import FontCache, GoogleFonts, Routes
from tests.fakes.google_fonts import FakeGoogle, fake_google
from tests.fonts_cache.faces import make_font


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return tmp_path / "made.ttf"


@pytest.fixture
def google(made: Path) -> Iterator[FakeGoogle]:
    with fake_google(lambda *face: make_font(made, *face).read_bytes()) as running:
        yield running


def opened(google: FakeGoogle, root: Path, key: str = "") -> FontCache:
    store = GoogleFonts(root / "google", Routes(google.url, key), fetcher(google.url, ()))
    return FontCache(root / "fonts", system=(), google=store)


@pytest.mark.parametrize("elsewhere", ["/gone", "http://127.0.0.9:9"], ids=["moved", "at another host"])
def test_a_file_that_is_not_where_the_list_says_is_looked_for(
    google: FakeGoogle, tmp_path: Path, elsewhere: str
) -> None:
    google.elsewhere = f"{google.url}/gone" if elsewhere == "/gone" else elsewhere
    cache = opened(google, tmp_path, "good")
    assert cache.google is not None
    cache.google.refresh()
    google.elsewhere = ""
    assert cache.provide("Inter", 700) is None
    assert cache.path("Inter", 700).name == "Inter-700.ttf"
    assert google.asked["/css2"] == 1


def test_a_refused_key_leaves_the_list_that_needs_none(google: FakeGoogle, tmp_path: Path) -> None:
    cache = opened(google, tmp_path, "bad")
    assert cache.provide("inter", 700) is None  # by its name in the list: the style sheet knows only that
    assert cache.suggest("Intter") == ["Inter"]


def test_a_server_that_took_over_has_the_files(google: FakeGoogle, tmp_path: Path) -> None:
    """The list is still that of the first one, for a day."""
    first = opened(google, tmp_path, "good").google
    assert first is not None
    first.refresh()
    with fake_google(google.font) as second:
        assert opened(second, tmp_path, "good").provide("Inter", 700) is None
        assert (google.asked["/s/Inter-700.ttf"], second.asked["/s/Inter-700.ttf"]) == (0, 1)


def test_a_face_that_is_refused_holds_no_other_up(google: FakeGoogle, tmp_path: Path) -> None:
    cache = opened(google, tmp_path)
    assert cache.google is not None
    cache.google.refresh()
    usual = google.answer
    google.answer = lambda target: (403, "", b"") if "Inter" in target else usual(target)  # type: ignore[method-assign]
    assert "The server answered 403" in (cache.provide("Inter", 700) or "")
    assert cache.provide("Lobster Two") is None
