"""Font names to files, on the fonts that ship and on folders made here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonts_cache import FontCache, UnknownFont
from fonts_cache.aliases import ALIASES
from fonts_cache.cache import SHIPPED
from tests.fonts_cache.faces import make_font

TTFont: Any = import_module("fontTools.ttLib").TTFont  # Not by `import`: fontTools ships no types.

OFL_FAMILIES = [
    *("Anton", "Arimo", "Caveat", "Comic Neue", "Cousine", "Montserrat"),
    *("Noto Sans Arabic", "Noto Sans CJK SC", "Noto Sans Devanagari"),
    *("Noto Sans Symbols", "Noto Sans Symbols2", "Noto Sans Thai"),
    *("Playfair Display", "Tinos", "Twemoji Mozilla"),
]


@pytest.fixture
def cache(tmp_path: Path) -> FontCache:
    return FontCache(tmp_path / "fonts", system=())


def test_every_shipped_family_is_found_and_open(cache: FontCache) -> None:
    assert [name for name in cache.families() if name not in ALIASES] == OFL_FAMILIES
    for family in OFL_FAMILIES:
        licence = SHIPPED / f"{family.replace(' ', '').removesuffix('SC')}-LICENSE.txt"
        assert "SIL OPEN FONT LICENSE Version 1.1" in " ".join(licence.read_text().split())
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 10_000_000


def test_a_family_with_a_reserved_name_ships_unchanged() -> None:
    reserved = [
        file for file in SHIPPED.glob("*-LICENSE.txt") if "Reserved Font Name" in file.read_text().split("\n")[0]
    ]
    assert [file.name for file in reserved] == ["PlayfairDisplay-LICENSE.txt"]
    for path in SHIPPED.glob("PlayfairDisplay-*.ttf"):
        with TTFont(path, lazy=True) as font:
            assert font["maxp"].numGlyphs > 1000


def test_metric_twins_have_the_widths_of_their_models(cache: FontCache) -> None:
    """Advance widths of Arial, Times New Roman and Courier New, in 1/2048 em: a, W, space."""
    for name, widths in {
        "Arial": (1139, 1933, 569),
        "Times New Roman": (909, 1933, 512),
        "Courier New": (1229,) * 3,
    }.items():
        with TTFont(cache.path(name), lazy=True) as font:
            cmap, metrics = font.getBestCmap(), font["hmtx"]
            assert font["head"].unitsPerEm == 2048
            assert tuple(metrics[cmap[ord(char)]][0] for char in "aW ") == widths


@pytest.mark.parametrize("name", ["Playfair Display", "playfair display", "PlayfairDisplay", "playfair-display"])
def test_case_blanks_and_hyphens_do_not_count(cache: FontCache, name: str) -> None:
    assert cache.path(name).name == "PlayfairDisplay-Regular.ttf"


@pytest.mark.parametrize(
    ("weight", "italic", "file"),
    [
        (400, False, "Arimo-Regular.ttf"),
        (700, False, "Arimo-Bold.ttf"),
        (500, False, "Arimo-Regular.ttf"),
        (600, False, "Arimo-Bold.ttf"),
        (1, False, "Arimo-Regular.ttf"),
        (900, True, "Arimo-BoldItalic.ttf"),
        (400, True, "Arimo-Italic.ttf"),
    ],
)
def test_nearest_face_of_an_alias(cache: FontCache, weight: int, italic: bool, file: str) -> None:
    assert cache.path("Helvetica", weight, italic).name == file


@pytest.mark.parametrize(
    ("there", "wanted", "found"),
    [
        ([300, 500, 600], 400, 500),  # 400 to 500: heavier up to 500 first,
        ([300, 600], 400, 300),  # then lighter,
        ([600, 700], 500, 600),  # then heavier.
        ([450, 480, 500], 450, 450),
        ([100, 300, 400], 350, 300),  # Below 400: lighter first,
        ([400, 900], 200, 400),  # then heavier.
        ([400, 600, 900], 700, 900),  # Above 500: heavier first,
        ([300, 400], 800, 400),  # then lighter.
    ],
)
def test_nearest_weight_as_css_has_it(tmp_path: Path, there: list[int], wanted: int, found: int) -> None:
    for weight in there:
        make_font(tmp_path / f"{weight}.ttf", "Probe", weight)
    assert FontCache(tmp_path, system=()).path("Probe", wanted).name == f"{found}.ttf"


def test_style_goes_before_weight(tmp_path: Path) -> None:
    make_font(tmp_path / "upright.ttf", "Probe", 700)
    make_font(tmp_path / "slanted.ttf", "Probe", 100, italic=True)
    cache = FontCache(tmp_path, system=())
    assert cache.path("Probe", 700, italic=True).name == "slanted.ttf"
    assert cache.path("Probe", 100).name == "upright.ttf"


def test_unknown_name_suggests_what_it_looks_like(cache: FontCache) -> None:
    with pytest.raises(UnknownFont, match="'Arail'; did you mean Arial") as caught:
        cache.path("Arail")
    assert caught.value.suggestions[0] == "Arial"
    assert cache.suggest("MONTSERAT") == ["Montserrat"]
    assert cache.suggest("qqqqqqqq") == []


@given(st.text(max_size=300))
def test_no_name_leads_anywhere_else(name: str) -> None:
    cache = FontCache(Path("/nowhere"), system=())
    try:
        found = cache.path(name)
    except UnknownFont as error:
        found = SHIPPED / error.family[:0]
    assert found.is_relative_to(SHIPPED)


def test_every_alias_leads_to_a_shipped_font(cache: FontCache) -> None:
    for alias, twin in ALIASES.items():
        assert twin in OFL_FAMILIES
        assert cache.path(alias) == cache.path(twin)


def test_the_operator_goes_before_what_ships_and_that_before_the_system(tmp_path: Path) -> None:
    own = make_font(tmp_path / "own" / "a.ttf", "Arimo", 400)
    make_font(tmp_path / "system" / "deep" / "b.ttf", "Arimo", 700)
    thin = make_font(tmp_path / "system" / "deep" / "c.ttf", "Arimo", 100)
    cache = FontCache(tmp_path / "own", system=(tmp_path / "system",))
    assert cache.path("Arial", 400) == own
    assert cache.path("Arial", 700).parent == SHIPPED
    assert cache.path("Arial", 100) == thin


def test_a_real_namesake_goes_before_an_alias(tmp_path: Path) -> None:
    own = make_font(tmp_path / "arial.ttf", "ARIAL")
    cache = FontCache(tmp_path, system=())
    assert cache.path("Arial") == own
    assert "ARIAL" in cache.families()
    assert "Arial" not in cache.families()


def test_files_come_and_go_without_a_restart(tmp_path: Path) -> None:
    cache = FontCache(tmp_path / "later", system=())
    assert "Probe" not in cache.families()
    path = make_font(tmp_path / "later" / "probe.ttf", "Probe")
    assert cache.path("probe") == path
    path.unlink()
    with pytest.raises(UnknownFont):
        cache.path("Probe")


def test_a_variable_font_counts_as_what_it_draws_by_itself(tmp_path: Path) -> None:
    path = make_font(tmp_path / "variable.ttf", "Probe", weight=900, axis=True)
    static = make_font(tmp_path / "w700.ttf", "Probe", weight=700)
    cache = FontCache(tmp_path, system=())
    assert cache.path("Probe", 400) == path
    assert cache.path("Probe", 900) == static


def test_a_condensed_face_keeps_its_width_in_its_name(tmp_path: Path) -> None:
    narrow = make_font(tmp_path / "a.ttf", "Probe Condensed", width=3)
    normal = make_font(tmp_path / "b.ttf", "Probe")
    cache = FontCache(tmp_path, system=())
    assert (cache.path("Probe"), cache.path("Probe Condensed")) == (normal, narrow)


def test_broken_files_hide_no_others(tmp_path: Path) -> None:
    good = make_font(tmp_path / "good.ttf", "Probe")
    (tmp_path / "empty.ttf").touch()
    (tmp_path / "noise.otf").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "half.ttf").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (tmp_path / "dangling.ttf").symlink_to(tmp_path / "gone.ttf")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "folder.ttf").mkdir()
    assert FontCache(tmp_path, system=()).path("Probe") == good


def test_the_index_spares_reading_unchanged_files(tmp_path: Path) -> None:
    """A file that became unreadable garbage of the same size and mtime is still known: it was not read again."""
    path = make_font(tmp_path / "probe.ttf", "Probe")
    FontCache(tmp_path, system=()).families()
    stat = path.stat()
    path.write_bytes(b"\0" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FontCache(tmp_path, system=()).path("Probe") == path
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(UnknownFont):
        FontCache(tmp_path, system=()).path("Probe")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 1, "files": 3}',
        '{"version": 99, "files": {}}',
        "\0",
    ],
    ids=range(9),
)
def test_a_broken_index_only_costs_time(tmp_path: Path, content: str) -> None:
    path = make_font(tmp_path / "probe.ttf", "Probe")
    index = tmp_path / ".index.json"
    index.write_text(content)
    assert FontCache(tmp_path, system=()).path("Probe") == path
    assert str(path) in json.loads(index.read_text())["files"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == [".index.json"]


@pytest.mark.parametrize("entry", [None, 3, [], [1, 2, "Lie", 400], [1, 2, "Lie", "400", False], {"family": "Lie"}])
def test_a_broken_entry_is_read_again(tmp_path: Path, entry: object) -> None:
    path = make_font(tmp_path / "probe.ttf", "Probe")
    (tmp_path / ".index.json").write_text(json.dumps({"version": 1, "files": {str(path): entry}}))
    assert FontCache(tmp_path, system=()).path("Probe") == path


def test_an_index_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert FontCache(tmp_path / "file" / "fonts", system=()).path("Arial").is_file()
    make_font(tmp_path / "fonts" / "probe.ttf", "Probe")
    (tmp_path / "fonts" / ".index.json").mkdir()
    assert FontCache(tmp_path / "fonts", system=()).path("Probe").is_file()
    assert sorted(entry.name for entry in (tmp_path / "fonts").iterdir()) == [".index.json", "probe.ttf"]


def test_the_index_forgets_what_is_gone(tmp_path: Path) -> None:
    path = make_font(tmp_path / "probe.ttf", "Probe")
    FontCache(tmp_path, system=()).families()
    path.unlink()
    FontCache(tmp_path, system=()).families()
    assert str(path) not in (tmp_path / ".index.json").read_text()


def test_the_api_process_loads_nothing_heavy(tmp_path: Path) -> None:
    """With a warm index not even fontTools is imported."""
    shutil.copytree(SHIPPED, tmp_path / "fonts")
    code = (
        "import sys; from pathlib import Path; from fonts_cache import FontCache;"
        f"FontCache(Path({str(tmp_path / 'fonts')!r}), system=()).path('Arial');"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'PIL', 'numpy', 'cv2', 'fontTools'}))"
    )
    root = SHIPPED.parent.parent
    runs = [subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True) for _ in range(2)]
    assert [run.stderr for run in runs] == ["", ""]
    assert [run.stdout.strip() for run in runs] == ["fontTools", ""]
