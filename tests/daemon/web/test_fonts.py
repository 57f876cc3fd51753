"""`GET /v1/fonts`, and what requests and health say of fonts that are not here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.sources.google_fonts import fetcher
from fonts_cache import FontCache, GoogleFonts, Routes
from tests.daemon.web.house import House, opened
from tests.fakes.google_fonts import fake_google


def no_file(family: str, weight: int, italic: bool) -> bytes:
    raise AssertionError("the API fetches nothing")


@pytest.fixture
def known(tmp_path: Path) -> FontCache:
    """Fonts as the API has them once the worker has fetched the list."""
    with fake_google(no_file) as google:
        GoogleFonts(tmp_path / "google", Routes(google.url), fetcher(google.url, [])).refresh()
    return FontCache(tmp_path / "fonts", system=(), google=GoogleFonts(tmp_path / "google"))


@contextmanager
def with_fonts(house: House, fonts: FontCache) -> Iterator[House]:
    with opened(replace(house.services, fonts=fonts), []) as running:
        yield running


def test_families_are_found_by_a_part_of_their_names(house: House, known: FontCache) -> None:
    with with_fonts(house, known) as seen:
        found = seen.client.get("/v1/fonts?q=Inter").json()
        assert found == {
            "items": [
                {
                    "family": "Inter",
                    "category": "sans-serif",
                    "styles": ["400", "700", "700i"],
                    "here": [],
                    "twin": None,
                }
            ],
            "next": None,
        }
        items = {one["family"]: one for one in seen.client.get("/v1/fonts?q=a&limit=2500").json()["items"]}
        assert items["Anton"]["here"] == ["400"]
        assert items["Arial"]["twin"] == "Arimo"
        first = seen.client.get("/v1/fonts?q=noto&limit=2").json()["items"]
        assert [one["family"] for one in first] == ["Noto Sans Arabic", "Noto Sans CJK SC"]
        assert seen.nobody.get("/v1/fonts").status_code == 401
        assert seen.client.get("/v1/fonts?limit=0").status_code == 422
        assert seen.client.get(f"/v1/fonts?q={'a' * 101}").status_code == 422
        assert "3 of Google Fonts" in seen.nobody.get("/health").json()["checks"]["fonts"]["message"]


def test_a_family_of_the_list_is_accepted_and_a_slip_is_not(house: House, known: FontCache) -> None:
    with with_fonts(house, known) as seen:
        answer = seen.client.post("/v1/generate", json={"text_overlays": [{"text": "a", "font": "Lobster Two"}]})
        assert answer.status_code == 202
        assert answer.json()["warnings"] == []
        answer = seen.client.post("/v1/generate", json={"text_overlays": [{"text": "\u16a0"}]})
        assert "U+16A0" in answer.json()["warnings"][0]
        assert "unless one is fetched for the film" in answer.json()["warnings"][0]
        answer = seen.client.post("/v1/generate", json={"text_overlays": [{"text": "a", "font": "Lobster Tow"}]})
        assert answer.status_code == 422
        assert 'Did you mean "Lobster Two"' in answer.json()["message"]


def test_without_a_list_a_name_is_accepted_with_a_warning(house: House, tmp_path: Path) -> None:
    unknown = FontCache(tmp_path / "fonts", system=(), google=GoogleFonts(tmp_path / "google"))
    with with_fonts(house, unknown) as seen:
        answer = seen.client.post("/v1/generate", json={"text_overlays": [{"text": "a", "font": "Lobster Two"}]})
        assert answer.status_code == 202
        assert "a family called Lobster Two" in answer.json()["warnings"][0]
