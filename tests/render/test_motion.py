"""How overlays come and go: curves, poses, and which frames differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.easing import ease_in, ease_out, swing_out
from render.motion import RESTING, course, moves, pose
from render.timeline import Layer, Motion, Picture

STYLES = ["rise", "slide", "pop", "type"]


def layer(frames: int = 60, **more: Any) -> Layer:
    return Layer(Picture(Path("logo.png")), 0, frames, **more)


@pytest.mark.parametrize("curve", [ease_in, ease_out, swing_out])
def test_curves_go_all_the_way(curve: Any) -> None:
    assert curve(0) == pytest.approx(0)
    assert curve(1) == pytest.approx(1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_curves_never_turn_back_but_for_the_swing(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert ease_in(early) <= ease_in(late)
    assert ease_out(early) <= ease_out(late) + 1e-12
    assert ease_in(one) <= one <= ease_out(one) + 1e-12
    assert swing_out(one) < 1.11


def test_the_swing_goes_beyond_its_end() -> None:
    assert max(swing_out(share / 100) for share in range(101)) > 1.05


@pytest.mark.parametrize("style", STYLES)
def test_it_begins_unseen_and_then_stands(style: Any) -> None:
    moving = layer(enter=Motion(style, 12))
    first = pose(moving, 0, 1.0)
    assert first.opacity == 0 or first.letters == 0
    assert [pose(moving, frame, 1.0) for frame in range(12, 60)] == [RESTING] * 48


@pytest.mark.parametrize("style", STYLES)
def test_it_stands_and_is_gone_at_its_last_frame(style: Any) -> None:
    moving = layer(exit=Motion(style, 12))
    assert [pose(moving, frame, 1.0) for frame in range(48)] == [RESTING] * 48
    last = pose(moving, 59, 1.0)
    assert last.opacity == 0 or last.letters == 0
    assert pose(moving, 48, 1.0) != RESTING


def test_ways_are_those_of_the_style_and_grow_with_the_picture() -> None:
    rising, sliding, popping = (pose(layer(enter=Motion(style, 10)), 1, 1.0) for style in ("rise", "slide", "pop"))
    assert rising.dx == 0
    assert rising.dy > 0
    assert sliding.dx < 0
    assert sliding.dy == 0
    assert (popping.dx, popping.dy) == (0, 0)
    assert popping.scale < 1
    assert pose(layer(enter=Motion("rise", 10)), 1, 0.5).dy == pytest.approx(rising.dy / 2)


def test_fades_go_on_top() -> None:
    alone, both = (pose(layer(enter=Motion("rise", 10), fade_in=fade), 15, 1.0) for fade in (0, 20))
    assert alone.opacity == 1
    assert both.opacity == pytest.approx(15 / 20)
    assert pose(layer(exit=Motion("slide", 10), fade_out=20), 45, 1.0).opacity == pytest.approx(14 / 20)


@given(
    st.integers(1, 90), st.sampled_from([None, *STYLES]), st.sampled_from([None, *STYLES]),
    st.tuples(*[st.integers(0, 90)] * 4),
)  # fmt: skip
def test_a_course_has_every_frame_that_differs(frames: int, enter: Any, leave: Any, lengths: Any) -> None:
    come, go, fade_in, fade_out = (min(length, frames) for length in lengths)
    moving = layer(
        frames,
        enter=Motion(enter, come) if enter and come else None,
        exit=Motion(leave, go) if leave and go else None,
        fade_in=fade_in,
        fade_out=fade_out,
    )
    way = course(moving, 1.0)
    assert all(0 <= one.opacity <= 1 and 0 <= one.letters <= 1 for one in way.poses)
    if way.meets:
        shown = list(way.poses)
    else:
        assert way.poses[way.head] == RESTING
        standing = [RESTING] * (frames - way.head - way.tail - 1)
        shown = [*way.poses[: way.head + 1], *standing, *way.poses[way.head + 1 :]]
    assert shown == [pose(moving, frame, 1.0) for frame in range(frames)]


def test_what_only_fades_does_not_move() -> None:
    assert not moves(layer(fade_in=10, fade_out=10))
    assert moves(layer(exit=Motion("pop", 3)))
