"""Which frames may stand for a film, told from its Timeline alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.moments import Moment, moments
from render.timeline import Box, Layer, Media, Motion, Picture, Timeline

RATE = Fraction(30)
CLIP = Media(Path("/a.mp4"), Fraction(0), Fraction(1), RATE, 1080, 1920, Box(0, 0, 1080, 1920))


def words(start: int, frames: int, **more: Any) -> Layer:
    return Layer(Picture(Path("/l.png")), start, frames, **more)


def film(*layers: Layer, frames: int = 300, **more: Any) -> Timeline:
    return Timeline(1080, 1920, RATE, frames, layers, **more)


def best(timeline: Timeline) -> list[Moment]:
    return [moment for moment in moments(timeline) if moment.worth == 1]


def test_a_film_without_any_words_is_looked_at_evenly_where_it_costs_least() -> None:
    assert [moment.frame for moment in moments(film())] == [0, 60, 120, 180, 240]
    found = [moment.frame for moment in moments(film(frames=3_600))]
    assert len(found) == 6
    assert all(frame % 60 == 0 for frame in found)
    assert all(480 <= after - before <= 720 for before, after in zip([-300, *found], [*found, 3_900], strict=True))


def test_words_are_wanted_whole_and_all_together() -> None:
    one, two = words(0, 400, fade_out=20), words(100, 500, fade_in=30)
    timeline = film(one, two, words(0, 600), frames=600)
    assert [moment.frame for moment in best(timeline)] == [131, 180, 240, 300, 360], "both are there, neither fades"
    others = [moment for moment in moments(timeline) if moment.worth < 1]
    assert len(others) == 2, "in case that the picture is black there"


def test_words_are_wanted_where_they_stand_still() -> None:
    moving = words(30, 200, enter=Motion("rise", 45), exit=Motion("pop", 60), fade_in=10)
    assert [moment.frame for moment in best(film(moving))] == [75, 120], "from the first at rest on"
    assert all(75 <= moment.frame < 170 for moment in best(film(moving)))


def test_no_moment_lies_in_a_fade_of_the_picture() -> None:
    assert all(60 <= moment.frame <= 209 for moment in best(film(fade_in=60, fade_out=90)))
    dark = moments(film(fade_in=150, fade_out=150))
    assert max(dark, key=lambda moment: moment.worth).frame in range(140, 160)


def test_no_moment_lies_where_a_clip_gives_way_to_another() -> None:
    clips = [Layer(CLIP, start, length) for start, length in ((0, 90), (60, 180), (210, 90))]
    assert not [m.frame for m in best(film(*clips)) if 60 <= m.frame < 90 or 210 <= m.frame < 240]


def test_the_one_that_was_asked_for_is_the_only_one() -> None:
    assert moments(film(thumbnail=75)) == (Moment(75, Fraction(5, 2), 1.0),)
    assert moments(film(thumbnail=0, fade_in=30)) == (Moment(0, Fraction(0), 1.0),)


spans = st.tuples(st.integers(0, 99), st.integers(1, 150), st.integers(0, 40), st.integers(0, 40))


@given(
    frames=st.integers(1, 100),
    layers=st.lists(spans, max_size=5),
    fades=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_there_is_always_one_and_all_are_frames_of_the_film(
    frames: int, layers: list[tuple[int, int, int, int]], fades: tuple[int, int]
) -> None:
    overlays = [words(start, length, fade_in=rise, fade_out=fall) for start, length, rise, fall in layers]
    found = moments(film(*overlays, frames=frames, fade_in=fades[0], fade_out=fades[1]))
    assert 1 <= len(found) <= 8
    numbers = [moment.frame for moment in found]
    assert numbers == sorted(set(numbers))
    assert 0 <= numbers[0] <= numbers[-1] < frames
    assert max(moment.worth for moment in found) == pytest.approx(1)
    assert all(0 <= moment.worth <= 1 for moment in found)
