"""Which clips, tracks, logos and fonts a template film is made of, and what is said where there are none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.kinds.base import Prepared, Sources
from daemon.kinds.template import prepare, read
from render.errors import MediaError, NoClips, SpecError
from render.ffmpeg import FFmpeg
from render.inspect import Inspection
from render.timeline import Media, Picture
from tests import media
from tests.daemon.material import looked_at, make_library, sources

SMALL = {"width": 128, "height": 128}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("kind") / "library")


@pytest.fixture
def root(shared: Path, tmp_path: Path) -> Path:
    """A library that a test may change."""
    return Path(shutil.copytree(shared, tmp_path / "library"))


def made(found: Sources, seed: int = 1, **spec: Any) -> Prepared:
    return prepare({"output": SMALL, **spec}, seed, found)


def names(prepared: Prepared) -> list[str]:
    return [clip["name"] for clip in prepared.choices["clips"]]


def test_the_choice_is_the_seeds(root: Path, ffmpeg: FFmpeg) -> None:
    found = sources(root, ffmpeg)
    films = {seed: made(found, seed, video={"duration": 2}) for seed in range(12)}
    assert films[3] == made(sources(root, ffmpeg), 3, video={"duration": 2})
    assert {film.choices["style"] for film in films.values()} == {"rain", "snow"}
    assert len({str(film.timeline) for film in films.values()}) > 6
    assert all(film.choices["music"] == "calm.wav" for film in films.values())


def test_what_is_chosen_is_what_the_timeline_holds(root: Path, ffmpeg: FFmpeg) -> None:
    film = made(sources(root, ffmpeg), video={"duration": 7, "style": "rain"}, logo={"name": "logo"})
    shots = [layer for layer in film.timeline.layers if isinstance(layer.content, Media)]
    assert names(film) == [layer.content.path.name for layer in shots if isinstance(layer.content, Media)]
    assert sorted(names(film)) == ["a.mp4", "b.mp4"], "two clips of 4 s each at half speed, none of them bad"
    assert [clip["at_s"] for clip in film.choices["clips"]] == [float(layer.start / 30) for layer in shots]
    assert sum(clip["duration_s"] for clip in film.choices["clips"]) == pytest.approx(7)
    [logo] = [layer for layer in film.timeline.layers if isinstance(layer.content, Picture)]
    assert logo.content == Picture(root / "logos" / "logo.png", 10), "150 px of 1920 on 128"


def test_a_clip_that_comes_later_changes_the_order_of_no_other(root: Path, ffmpeg: FFmpeg) -> None:
    before = names(made(sources(root, ffmpeg), 5, video={"duration": 8, "style": "rain"}))
    shutil.copy(root / "styles" / "snow" / "c.mp4", root / "styles" / "rain" / "new.mp4")
    after = names(made(sources(root, ffmpeg), 5, video={"duration": 14, "style": "rain"}))
    assert [name for name in after if name != "new.mp4"] == before


def test_a_style_of_bad_clips_is_an_error_by_name_and_passed_over_at_random(root: Path, ffmpeg: FFmpeg) -> None:
    with pytest.raises(NoClips, match='no clip of "gone" can be used'):
        made(sources(root, ffmpeg), video={"style": "gone"})
    for seed in range(8):
        assert made(sources(root, ffmpeg), seed, video={"duration": 1}).choices["style"] != "gone"


def test_only_the_clips_that_are_needed_are_looked_at(root: Path, ffmpeg: FFmpeg) -> None:
    seen: list[str] = []
    inspect = looked_at(ffmpeg)

    def counted(path: Path) -> Inspection:
        seen.append(path.name)
        return inspect(path)

    made(sources(root, ffmpeg, counted), video={"duration": 2, "style": "snow"})
    assert seen == ["c.mp4"]


def test_no_track_is_a_warning_and_a_bad_one_too(root: Path, ffmpeg: FFmpeg) -> None:
    (root / "audio" / "calm.wav").write_bytes(b"noise")
    film = made(sources(root, ffmpeg), video={"duration": 1})
    assert (film.choices["music"], film.timeline.sounds) == (None, ())
    assert [word in " ".join(film.warnings) for word in ("calm.wav", "silent")] == [True, True]
    with pytest.raises(MediaError, match=r"calm\.wav"):
        made(sources(root, ffmpeg), audio={"audio": "calm"})
    silent = made(sources(root, ffmpeg), video={"duration": 1}, audio={"audio": "none"})
    assert (silent.choices["music"], silent.warnings) == (None, ())


def test_a_track_that_cannot_be_brought_to_the_target_is_told(root: Path, ffmpeg: FFmpeg) -> None:
    media.tone(root / "audio" / "calm.wav", seconds=2, volume=0.0094)
    film = made(sources(root, ffmpeg), video={"duration": 1})
    assert film.warnings == ("calm.wav comes out at about -29 LUFS instead of -14: its noise would come up with it",)
    left = made(sources(root, ffmpeg), video={"duration": 1}, audio={"loudness": None})
    assert left.warnings == ()
    media.tone(root / "audio" / "calm.wav", seconds=2, volume=0)
    assert "next to nothing" in made(sources(root, ffmpeg), video={"duration": 1}).warnings[0]


def test_a_track_that_holds_only_a_picture_is_none(root: Path, ffmpeg: FFmpeg) -> None:
    shutil.copy(root / "styles" / "rain" / "a.mp4", root / "audio" / "calm.m4a")
    (root / "audio" / "calm.wav").unlink()
    with pytest.raises(MediaError, match="no sound"):
        made(sources(root, ffmpeg), audio={"audio": "calm"})


def test_every_wrong_name_and_field_is_told_at_once(root: Path, ffmpeg: FFmpeg) -> None:
    data = {
        "video": {"style": "rian", "duration": -1},
        "audio": {"audio": "../calm"},
        "logo": {"name": "logo.gif"},
        "text_overlays": [{"text": "a"}, {"text": "b", "font": "Ariel", "font_size": "big"}],
        "signature": {"text": "c", "font": "No Such Font At All"},
        "vido": {},
    }
    found = sources(root, ffmpeg)
    with pytest.raises(SpecError) as caught:
        read(data, found.library, found.fonts)
    problems = {problem.field: problem.message for problem in caught.value.problems}
    assert set(problems) == {
        "video.style",
        "video.duration",
        "audio.audio",
        "logo.name",
        "text_overlays[1].font",
        "text_overlays[1].font_size",
        "signature.font",
        "vido",
    }
    assert '"rain"' in problems["video.style"]
    assert "Arial" in problems["text_overlays[1].font"]
    assert '"video"' in problems["vido"]


@pytest.mark.parametrize("data", [None, [], 3, "x", {"video": 3}, {"text_overlays": [3, None]}, {"logo": {"name": 5}}])
def test_what_is_no_request_is_a_problem_and_never_a_crash(root: Path, ffmpeg: FFmpeg, data: object) -> None:
    found = sources(root, ffmpeg)
    with pytest.raises(SpecError):
        read(data, found.library, found.fonts)


def test_an_empty_library_is_told_before_anything_is_queued(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    found = sources(tmp_path / "library", ffmpeg)
    with pytest.raises(SpecError) as caught:
        read({}, found.library, found.fonts)
    assert [problem.field for problem in caught.value.problems] == ["video.style"]


def test_a_style_without_clips_is_told_before_anything_is_queued(root: Path, ffmpeg: FFmpeg) -> None:
    (root / "styles" / "empty").mkdir()
    found = sources(root, ffmpeg)
    with pytest.raises(SpecError, match="holds no clips yet"):
        read({"video": {"style": "empty"}}, found.library, found.fonts)


class TestShownLately:
    """Clips that the page's latest posts have shown come last, the latest at the very end."""

    @staticmethod
    def lately(root: Path, ffmpeg: FFmpeg, *shown: str) -> Sources:
        return replace(sources(root, ffmpeg), shown=shown)

    @pytest.mark.parametrize("seed", range(5))
    def test_others_are_taken_first(self, root: Path, ffmpeg: FFmpeg, seed: int) -> None:
        video = {"duration": 2, "style": "rain"}
        film = made(self.lately(root, ffmpeg, "rain/a.mp4"), seed, video=video)
        assert (names(film), film.warnings) == (["b.mp4"], ())
        film = made(self.lately(root, ffmpeg, "rain/b.mp4"), seed, video=video)
        assert (names(film), film.warnings) == (["a.mp4"], ())

    @pytest.mark.parametrize("seed", range(5))
    def test_where_all_were_shown_the_latest_comes_last(self, root: Path, ffmpeg: FFmpeg, seed: int) -> None:
        video = {"duration": 2, "style": "rain"}
        film = made(self.lately(root, ffmpeg, "rain/a.mp4", "rain/b.mp4"), seed, video=video)
        assert names(film) == ["b.mp4"]
        assert "b.mp4" in film.warnings[0]
        assert "a.mp4" not in film.warnings[0]

    @pytest.mark.parametrize("seed", range(5))
    def test_a_style_that_has_others_is_taken_first(self, root: Path, ffmpeg: FFmpeg, seed: int) -> None:
        found = self.lately(root, ffmpeg, "snow/c.mp4")
        assert made(found, seed, video={"duration": 1}).choices["style"] == "rain"

    @pytest.mark.parametrize("seed", range(5))
    def test_a_clip_that_cannot_be_used_is_none_of_the_others(self, root: Path, ffmpeg: FFmpeg, seed: int) -> None:
        found = self.lately(root, ffmpeg, "rain/a.mp4", "rain/b.mp4")
        film = made(found, seed, video={"duration": 1})
        assert (film.choices["style"], film.warnings) == ("snow", ())

    def test_the_same_name_in_another_style_is_another_clip(self, root: Path, ffmpeg: FFmpeg) -> None:
        film = made(self.lately(root, ffmpeg, "snow/a.mp4"), 1, video={"duration": 8, "style": "rain"})
        assert film.warnings == ()

    def test_the_same_seed_and_the_same_posts_are_the_same_film(self, root: Path, ffmpeg: FFmpeg) -> None:
        shown = ("rain/b.mp4", "snow/c.mp4")
        one, two = (made(self.lately(root, ffmpeg, *shown), 4, video={"duration": 4}) for _ in range(2))
        assert one.timeline == two.timeline
