"""Fonts from a stand-in of Google Fonts: well, old, down, slow, broken, lying, and asked for by two at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sources.google_fonts import fetcher
from fonts_cache import FontCache, GoogleFonts, NotFetched, Routes, UnknownFont
from fonts_cache.fallback import chain
from fonts_cache.proof import prove
from fonts_cache.routes import Rubbish, read_catalogue, read_css
from tests.fakes.google_fonts import FakeGoogle, fake_google
from tests.fonts_cache.faces import make_font

DAY_S = 86_400.0
SHORT_S = 1.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def google(tmp_path: Path) -> Iterator[FakeGoogle]:
    def font(family: str, weight: int, italic: bool) -> bytes:
        chars = "ᚠ" if family == "Noto Sans Runic" else "abc"
        return make_font(tmp_path / "made" / "one.ttf", family, weight, italic, chars=chars).read_bytes()

    with fake_google(font) as running:
        yield running


def opened(google: FakeGoogle, root: Path, clock: Clock, *, key: str = "", most_bytes: int = 2**28) -> FontCache:
    """A cache as the worker has it, patient for a second."""
    fetch = fetcher(google.url, [], total_s=SHORT_S, stall_s=SHORT_S)
    routes = Routes(google.url, key)
    fonts = GoogleFonts(root / "google", routes, fetch, clock=clock, most_total_bytes=most_bytes)
    return FontCache(root / "fonts", system=(), google=fonts)


def store(cache: FontCache) -> GoogleFonts:
    assert cache.google is not None
    return cache.google


def only_reads(root: Path, clock: Clock) -> FontCache:
    """A cache as the API has it."""
    return FontCache(root / "fonts", system=(), google=GoogleFonts(root / "google", clock=clock))


@pytest.mark.parametrize("key", ["", "good"])
@pytest.mark.parametrize(
    ("weight", "italic", "name"),
    [(400, False, "Inter-400"), (700, True, "Inter-700i"), (900, False, "Inter-700"), (300, True, "Inter-700i")],
)
def test_a_face_is_fetched_once_by_either_route(
    google: FakeGoogle, tmp_path: Path, clock: Clock, key: str, weight: int, italic: bool, name: str
) -> None:
    cache = opened(google, tmp_path, clock, key=key)
    assert cache.provide("inter", weight, italic) is None
    assert cache.path("Inter", weight, italic).name == f"{name}.ttf"
    asked = google.asked.copy()
    assert opened(google, tmp_path, clock, key=key).provide("Inter", weight, italic) is None
    assert google.asked == asked
    assert sum(google.asked.values()) == (2 if key else 3)
    assert google.agents == {"Vix"}, "browsers would get WOFF2"


def test_what_lies_here_is_never_asked_for(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    cache = opened(google, tmp_path, clock)
    make_font(tmp_path / "fonts" / "mine.ttf", "Brand Sans")
    for family in ("Arial", "Anton", "Impact", "serif"):
        cache.provide(family)
    assert not google.asked
    assert cache.provide("Brand Sans", 700) is None
    assert [*google.asked] == ["/metadata/fonts"], "the name of somebody's own font is told nobody"


@pytest.mark.parametrize(
    ("mode", "age_s", "lists"), [("well", DAY_S - 1, 1), ("well", DAY_S + 1, 2), ("500", DAY_S + 1, 2)]
)
def test_the_list_lives_a_day_and_serves_longer_where_it_must(
    google: FakeGoogle, tmp_path: Path, clock: Clock, mode: str, age_s: float, lists: int
) -> None:
    cache = opened(google, tmp_path, clock)
    store(cache).refresh()
    clock.now_s += age_s
    google.mode = mode
    for _ in range(3):
        if mode == "well":
            store(cache).refresh()
        else:
            with pytest.raises(NotFetched, match="500"):
                store(cache).refresh()
    assert google.asked["/metadata/fonts"] == lists
    assert "inter" in store(cache).families()


@pytest.mark.parametrize("mode", ["500", "html", "truncated", "redirect", "slow", "down"])
def test_an_old_list_survives_whatever_comes(google: FakeGoogle, tmp_path: Path, clock: Clock, mode: str) -> None:
    cache = opened(google, tmp_path, clock)
    store(cache).refresh()
    before = (tmp_path / "google" / ".catalogue.json").read_bytes()
    clock.now_s += DAY_S + 1
    google.mode, google.elsewhere = mode, "http://localhost:1"
    if mode == "down":
        cache = opened(FakeGoogle(google.font, url="http://127.0.0.1:9"), tmp_path, clock)
    with pytest.raises(NotFetched):
        store(cache).refresh()
    assert (tmp_path / "google" / ".catalogue.json").read_bytes() == before
    asked = google.asked.total()
    with pytest.raises(NotFetched):
        store(cache).refresh()
    assert google.asked.total() == asked, "it is left alone for a while"
    google.mode = "well"
    clock.now_s += 301
    store(opened(google, tmp_path, clock)).refresh()
    assert store(cache).age_s() == 0


@pytest.mark.parametrize("mode", ["500", "html", "truncated", "half", "wrong magic", "redirect", "slow", "elsewhere"])
def test_a_face_that_does_not_come_whole_is_replaced_and_named(
    google: FakeGoogle, tmp_path: Path, clock: Clock, mode: str
) -> None:
    cache = opened(google, tmp_path, clock)
    store(cache).refresh()
    google.mode, google.elsewhere = mode, "http://localhost:1"
    note = cache.provide("Inter", 700)
    assert note is not None
    assert note.startswith("Inter could not be fetched (")
    assert note.endswith("Arimo is used instead.")
    assert cache.path("Inter", 700).name == "Arimo-Bold.ttf"
    assert not [*(tmp_path / "google").glob("*.ttf")]
    assert not [*(tmp_path / "google").glob(".part*")]
    asked = google.asked.total()
    assert cache.provide("Inter", 700) == note
    assert google.asked.total() == asked
    google.mode, google.elsewhere = "well", ""
    clock.now_s += 301
    assert cache.provide("Inter", 700) is None
    assert cache.path("Inter", 700).name == "Inter-700.ttf"


def test_a_file_that_is_too_large_is_refused(google: FakeGoogle, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="larger"):
        fetcher(google.url, [])(f"{google.url}/s/Inter-400.ttf", 100)


@pytest.mark.parametrize("base", ["", "http://fonts.lan:8000"])
def test_files_are_fetched_from_the_one_host(base: str) -> None:
    routes = Routes(base)
    good = f"{base or 'https://fonts.gstatic.com'}/s/inter/v1/a.ttf"
    assert routes.file_url(good) == good
    if not base:
        assert routes.file_url("http://fonts.gstatic.com/s/a.ttf") == "https://fonts.gstatic.com/s/a.ttf"
    for url in ("https://fonts.gstatic.com.evil.org/a", "ftp://fonts.gstatic.com/a", "//x/a", "file:///etc/passwd", ""):
        with pytest.raises(Rubbish):
            routes.file_url(url)


@pytest.mark.parametrize("key", ["", "good"])
def test_a_family_that_is_not_there(google: FakeGoogle, tmp_path: Path, clock: Clock, key: str) -> None:
    cache = opened(google, tmp_path, clock, key=key)
    store(cache).refresh()
    with pytest.raises(UnknownFont) as caught:
        only_reads(tmp_path, clock).path("Intter")
    assert caught.value.suggestions[0] == "Inter"
    note = cache.provide("Intter") or ""
    assert note.startswith("Intter could not be fetched (Google Fonts has no family called Intter); Arimo is used")
    assert "Did you mean Inter" in note
    assert not google.asked["/css2"]


def test_a_key_that_is_refused_leaves_the_other_route(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    cache = opened(google, tmp_path, clock, key="bad")
    assert cache.provide("Lobster Two", 700) is None
    assert cache.path("Lobster Two", 700).name == "LobsterTwo-400.ttf"


def test_without_a_list_a_name_is_tried_and_a_slip_is_not(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    api = only_reads(tmp_path, clock)
    assert api.path("Lobster Two").name == "Arimo-Regular.ttf"
    assert "Lobster Two" in (api.doubt("Lobster Two") or "")
    for name in ("Ariel", "../../etc/passwd", "a\nb", "", "Ünter"):
        with pytest.raises(UnknownFont):
            api.path(name)
    google.mode = "500"
    assert "Arimo is used instead" in (opened(google, tmp_path, clock).provide("Lobster Two") or "")
    google.mode = "well"
    clock.now_s += 301
    assert opened(google, tmp_path, clock).provide("Lobster Two", 700) is None
    assert api.path("Lobster Two", 700).name == "LobsterTwo-400.ttf"
    assert api.doubt("Lobster Two") is None


def test_only_who_may_fetch_does(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    store(opened(google, tmp_path, clock)).refresh()
    api = only_reads(tmp_path, clock)
    assert "until then Arimo stands in" in (api.provide("Inter") or "")
    assert google.asked.total() == 1


def test_twins_are_silent_only_with_the_same_widths(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    cache = opened(google, tmp_path, clock)
    assert cache.provide("Arial") is None
    assert "Anton, which looks alike" in (cache.provide("Impact") or "")
    assert "Tinos, which looks alike" in (cache.provide("Georgia") or ""), "Gelasio is not to be had"


def test_a_script_that_no_font_here_covers_is_fetched(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    found = chain(opened(google, tmp_path, clock), "Anton", 400, False, "abᚠ")
    assert [path.name for path in found.paths] == ["Anton-Regular.ttf", "NotoSansRunic-400.ttf"]
    assert not found.missing


def test_the_least_used_leave_first(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    cache = opened(google, tmp_path, clock)
    for weight in (400, 700):
        cache.provide("Inter", weight)
    clock.now_s += DAY_S / 2
    cache.path("Inter", 400)
    clock.now_s += 7_200
    size = cache.path("Lobster Two").stat().st_size if cache.provide("Lobster Two") is None else 0
    kept = store(cache).kept()
    assert [one.path.name for one in kept] == ["Inter-700.ttf", "Inter-400.ttf", "LobsterTwo-400.ttf"]
    most = sum(one.size for one in kept) - 1
    assert [one.path.name for one in store(cache).prune(most, dry_run=True)] == ["Inter-700.ttf"]
    assert len(store(cache).kept()) == 3
    assert [one.path.name for one in store(cache).prune(0)] == ["Inter-700.ttf", "Inter-400.ttf"], "one is in use"
    assert store(cache).kept()[0].size == size


def test_what_is_fetched_pushes_out_what_is_old(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    cache = opened(google, tmp_path, clock, most_bytes=1)
    assert cache.provide("Inter") is None
    assert "take all the room" in (cache.provide("Lobster Two") or "")
    assert not google.asked["/s/Lobster_Two-400.ttf"]
    clock.now_s += 7_200
    assert cache.provide("Lobster Two") is None
    assert [one.family for one in store(cache).kept()] == ["Lobster Two"]


def test_two_processes_fetch_a_face_once(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    store(opened(google, tmp_path, clock)).refresh()
    google.mode = "late file"
    code = (
        "import sys; from pathlib import Path; from fonts_cache import GoogleFonts, Routes\n"
        "from daemon.sources.google_fonts import fetcher\n"
        "url, root, now_s = sys.argv[1:]\n"
        "google = GoogleFonts(Path(root), Routes(url), fetcher(url, []), clock=lambda: float(now_s))\n"
        "print(google.face('Inter', 700, False))"
    )
    command = [sys.executable, "-c", code, google.url, str(tmp_path / "google"), str(clock.now_s)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate(timeout=60)[0].strip() for process in both}
    assert said == {str(tmp_path / "google" / "Inter-700.ttf")}
    assert google.asked["/s/Inter-700.ttf"] == 1


def test_what_was_killed_while_fetching_holds_nobody_up(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "google" / ".locks").mkdir(parents=True)
    (tmp_path / "google" / ".locks" / "Inter-400").touch()
    (tmp_path / "google" / ".part-dead").write_bytes(b"half")
    os.utime(tmp_path / "google" / ".part-dead", (clock() - 4_000, clock() - 4_000))
    assert opened(google, tmp_path, clock).provide("Inter") is None
    assert not [*(tmp_path / "google").glob(".part-*")]


def test_a_font_must_be_what_it_was_asked_for_as(tmp_path: Path) -> None:
    static = make_font(tmp_path / "a.ttf", "A", 700, italic=True).read_bytes()
    assert prove(static, 700, True) == ""
    variable = make_font(tmp_path / "b.ttf", "B", axis=True).read_bytes()
    wrong = [
        (static, 400, True),
        (static, 700, False),
        (variable, 400, False),
        (static[:-100], 700, True),
        (b"", 1, True),
    ]
    for data, weight, italic in wrong:
        with pytest.raises(Rubbish):
            prove(data, weight, italic)


def test_a_broken_list_on_disk_is_none(google: FakeGoogle, tmp_path: Path, clock: Clock) -> None:
    for text in ("{", "[]", json.dumps({"version": 1, "families": [{"name": 1}]}), json.dumps({"version": 9})):
        (tmp_path / "google").mkdir(exist_ok=True)
        (tmp_path / "google" / ".catalogue.json").write_text(text)
        assert store(only_reads(tmp_path, clock)).families() == {}
    store(opened(google, tmp_path, clock)).refresh()
    assert len(store(only_reads(tmp_path, clock)).families()) == 3


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["items", "familyMetadataList", "family", "fonts", "files", "variants", "a"]), x
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (read_catalogue, read_css):
        with suppress(Rubbish):
            assert read(data)
