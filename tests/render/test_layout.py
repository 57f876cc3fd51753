"""Where overlays sit and which part of a source is shown."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.layout import Canvas, cover
from render.timeline import Align, Margin, Place

CANVAS = Canvas(1080, 1920)


@pytest.mark.parametrize(
    ("place", "at"),
    [
        (Place("center", "center"), (490, 940)),
        (Place("start", "start", Margin(10, 20, 30, 40)), (40, 10)),
        (Place("end", "end", Margin(10, 20, 30, 40)), (960, 1850)),
        # A margin keeps room free; it does not push what is centred.
        (Place("center", "end", Margin(0, 25, 25, 0)), (490, 1855)),
        (Place(540, 960), (490, 940)),
        (Place(100, 100), (50, 80)),
        # A coordinate too near to the edge is moved just so far that the margin stays free.
        (Place(10, 1915), (0, 1880)),
        (Place(10, 1915, Margin(5, 5, 5, 5)), (5, 1875)),
    ],
)
def test_top_left(place: Place, at: tuple[int, int]) -> None:
    assert CANVAS.top_left(place, 100, 40) == at


def test_what_is_too_large_is_centred() -> None:
    assert CANVAS.top_left(Place("start", "end"), 1280, 2000) == (-100, -40)


def test_scaling_to_another_output() -> None:
    half = Canvas(540, 960)
    assert (half.x(540), half.y(960), half.length(25)) == (270, 480, 12)
    assert half.margin([0, 20, 30, 40]) == Margin(0, 10, 15, 20)
    wide = Canvas(1920, 1080)
    assert (wide.x(540), wide.y(960)) == (960, 540)
    assert wide.length(100) == 56


@pytest.mark.parametrize(
    ("x", "y", "margin", "place"),
    [
        # Across, what is centred keeps as much free on the left as the buttons take on the right.
        ("center", "end", [0, 25, 25, 0], Place("center", "end", Margin(270, 120, 390, 120))),
        ("start", "start", [0, 0, 0, 0], Place("start", "start", Margin(270, 120, 390, 65))),
        ("end", "end", [300, 200, 400, 100], Place("end", "end", Margin(300, 200, 400, 100))),
        (100.0, "end", [0, 0, 0, 0], Place(100, "end", Margin(270, 0, 390, 0))),
        ("end", 1900.0, [0, 0, 0, 0], Place("end", 1900, Margin(0, 120, 0, 65))),
        (100.0, 1900.0, [1, 2, 3, 4], Place(100, 1900, Margin(1, 2, 3, 4))),
    ],
)
def test_an_axis_that_is_given_by_a_word_keeps_the_safe_area_free(
    x: Align | float, y: Align | float, margin: list[float], place: Place
) -> None:
    assert Canvas(1080, 1920, "social").place(x, y, margin) == place


@pytest.mark.parametrize(
    "canvas", [Canvas(1080, 1920, "none"), Canvas(1080, 1350, "social"), Canvas(1920, 1080, "social")]
)
def test_only_films_that_fill_a_phone_have_a_safe_area(canvas: Canvas) -> None:
    assert canvas.place("center", "end", [0, 0, 0, 0]).margin == Margin()


def test_the_safe_area_scales_with_the_output() -> None:
    assert Canvas(540, 960, "social").place("start", "end", [0] * 4).margin == Margin(135, 60, 195, 32)


numbers = st.integers(0, 300)
axis = st.sampled_from(["start", "center", "end"]) | st.integers(-3000, 3000)


@given(axis, axis, numbers, numbers, numbers, numbers, st.integers(1, 480), st.integers(1, 1300))
def test_margins_always_hold(x: object, y: object, t: int, r: int, b: int, left: int, w: int, h: int) -> None:
    at_x, at_y = CANVAS.top_left(Place(x, y, Margin(t, r, b, left)), w, h)  # type: ignore[arg-type]
    assert left <= at_x
    assert at_x + w <= 1080 - r
    assert t <= at_y
    assert at_y + h <= 1920 - b


@pytest.mark.parametrize(
    ("size", "focus", "box"),
    [
        ((1080, 1920), (0.5, 0.5), (0, 0, 1080, 1920)),
        ((1920, 1080), (0.5, 0.5), (656, 0, 608, 1080)),
        ((1920, 1080), (0.0, 0.5), (0, 0, 608, 1080)),
        ((1920, 1080), (1.0, 0.5), (1312, 0, 608, 1080)),
        ((1080, 2400), (0.5, 0.0), (0, 0, 1080, 1920)),
        ((640, 480), (0.25, 0.5), (24, 0, 270, 480)),
    ],
)
def test_cover(size: tuple[int, int], focus: tuple[float, float], box: tuple[int, ...]) -> None:
    found = cover(*size, CANVAS, focus)
    assert (found.x, found.y, found.w, found.h) == box


def test_cover_minds_the_shape_of_pixels() -> None:
    # PAL DVD, 16:9: 720 stored px show as 1024, so 9:16 of 576 lines is 324 shown px, 228 stored ones.
    found = cover(720, 576, CANVAS, (0.5, 0.5), Fraction(64, 45))
    assert (found.w, found.h) == (228, 576)


@given(st.integers(2, 8000), st.integers(2, 8000), st.floats(0, 1), st.floats(0, 1))
def test_cover_stays_inside_and_even(width: int, height: int, fx: float, fy: float) -> None:
    box = cover(width, height, CANVAS, (fx, fy))
    assert box.x >= 0
    assert box.x + box.w <= width
    assert box.y >= 0
    assert box.y + box.h <= height
    assert not any(side % 2 for side in (box.x, box.y, box.w, box.h))
