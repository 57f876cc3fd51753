"""What a folder offers by name, and that a name never leads out of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.errors import UnknownName
from daemon.sources.library import Library


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(tmp_path / "outside", "secret.mp4", "secret.mp3", "secret.png")
    root = tmp_path / "library"
    touch(root, "styles/rain/b.MP4", "styles/rain/a.mkv", "styles/rain/notes.txt", "styles/rain/.hidden.mp4")
    touch(root, "styles/Sea View/x.mov", "styles/.trash/x.mp4", "styles/loose.mp4", "styles/empty/readme.md")
    touch(root, "audio/Calm.mp3", "audio/calm.txt", "audio/night drive.m4a", "logos/logo.png", "logos/logo.webp")
    return root


def test_what_is_there(root: Path) -> None:
    library = Library(root)
    assert library.styles() == {"Sea View": 1, "rain": 2}
    assert [path.name for path in library.clips("rain")] == ["a.mkv", "b.MP4"]
    assert list(library.tracks()) == ["Calm", "night drive"]
    assert list(library.logos()) == ["logo.png", "logo.webp"]


def test_names_are_found_in_any_case_and_with_or_without_suffix(root: Path) -> None:
    library = Library(root)
    assert library.clips("RAIN") == library.clips("rain")
    assert library.track("calm") == library.track("Calm.mp3") == root / "audio" / "Calm.mp3"
    assert library.logo("logo.png") == root / "logos" / "logo.png"
    assert library.logo("logo.webp") == root / "logos" / "logo.webp"
    assert library.logo("logo").stem == "logo"


def test_an_unknown_name_gets_a_hint(root: Path) -> None:
    with pytest.raises(UnknownName, match='Did you mean "rain"'):
        Library(root).clips("rian")
    with pytest.raises(UnknownName, match="Known: Sea View, empty, rain"):
        Library(root).clips("something else")
    with pytest.raises(UnknownName, match="There is none"):
        Library(root / "nowhere").track("x")


def test_a_folder_of_clips_is_one_style(tmp_path: Path) -> None:
    touch(tmp_path / "my clips", "a.mp4", "b.mp4", "c.mp3")
    library = Library(tmp_path / "my clips")
    assert library.styles() == {"my clips": 2}
    assert len(library.clips("My Clips")) == 2
    assert library.tracks() == {}


def test_nothing_is_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        assert (Library(folder).styles(), Library(folder).tracks(), Library(folder).logos()) == ({}, {}, {})


def test_links_that_lead_outside_do_not_exist(root: Path) -> None:
    outside = root.parent / "outside"
    (root / "styles" / "out").symlink_to(outside)
    (root / "styles" / "rain" / "out.mp4").symlink_to(outside / "secret.mp4")
    (root / "styles" / "rain" / "broken.mp4").symlink_to(root / "gone.mp4")
    (root / "styles" / "rain" / "loop.mp4").symlink_to(root / "styles" / "rain" / "loop.mp4")
    (root / "audio" / "out.mp3").symlink_to(outside / "secret.mp3")
    (root / "logos" / "out.png").symlink_to("../../outside/secret.png")
    (root / "styles" / "again").symlink_to(root / "styles" / "rain")
    library = Library(root)
    assert library.styles() == {"Sea View": 1, "again": 2, "rain": 2}
    assert "out" not in library.tracks()
    assert "out.png" not in library.logos()


def test_folders_that_link_outside_hold_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "outside", "secret.mp3", "secret.png", "s/secret.mp4")
    root = tmp_path / "library"
    root.mkdir()
    (root / "audio").symlink_to(tmp_path / "outside")
    (root / "logos").symlink_to(tmp_path / "outside")
    (root / "styles").symlink_to(tmp_path / "outside")
    library = Library(root)
    assert (library.styles(), library.tracks(), library.logos()) == ({}, {}, {})


def test_a_library_may_itself_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert Library(link).styles() == Library(root).styles()


NASTY = ["..", ".", "/", "", "../outside", "rain/../rain", "rain/a.mkv", "a\0b", ".hidden", ".trash", "empty", "loose"]


@pytest.mark.parametrize("name", NASTY)
def test_no_name_reaches_what_is_not_listed(root: Path, name: str) -> None:
    library = Library(root)
    for find in (library.clips, library.track, library.logo):
        with pytest.raises(UnknownName):
            find(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.text(max_size=30) | st.lists(st.sampled_from(["..", "/", "rain", "\0", "\\", ".", "a.mkv"])).map("".join))
def test_any_name_is_found_inside_or_unknown(root: Path, name: str) -> None:
    library = Library(root)
    for find in (library.track, library.logo):
        with suppress(UnknownName):
            assert find(name).resolve().is_relative_to(root.resolve())
