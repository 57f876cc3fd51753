"""Loudness by numbers: gates, the part that is heard, and how far a gain may go."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.loudness import (
    CEILING_DBTP,
    MOST_DBTP,
    MOST_GAIN_DB,
    MOST_LIMITED_DB,
    decibels,
    integrated_lufs,
    level,
    repeated,
)

lufs = st.floats(-99, 5, allow_nan=False)


def test_loudness_is_the_mean_of_the_power_of_what_is_not_silent() -> None:
    assert integrated_lufs([-23.0] * 9) == pytest.approx(-23)
    assert integrated_lufs([-20.0, -14.0]) == pytest.approx(10 * math.log10((10**-2 + 10**-1.4) / 2))
    assert integrated_lufs([-20.0, -99.0, -70.5]) == pytest.approx(-20), "below the absolute gate"
    assert integrated_lufs([-20.0, -20.0, -34.0]) == pytest.approx(-20), "10 LU below the mean of the rest"
    assert integrated_lufs([]) == integrated_lufs([-99.0]) == -math.inf


@given(st.lists(lufs, min_size=1, max_size=50), st.floats(-20, 20))
def test_loudness_lies_among_its_blocks_and_does_not_depend_on_their_order(blocks: list[float], by: float) -> None:
    whole = integrated_lufs(blocks)
    assert whole == pytest.approx(integrated_lufs(blocks[::-1]))
    if math.isfinite(whole):
        assert -70 <= whole <= max(blocks) + 1e-6


def test_a_short_track_is_heard_again_and_again() -> None:
    assert repeated([1.0, 2.0, 3.0], Fraction(8, 10)) == [1.0, 2.0]
    assert repeated([1.0, 2.0, 3.0], Fraction(20, 10)) == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert repeated([1.0], Fraction(1, 30)) == [1.0], "at least one block"


def gain_db(loudness: float, peak: float, target: float | None = -14) -> float:
    return decibels(level("a.mp3", loudness, peak, target).factor)


@pytest.mark.parametrize(
    ("loudness", "peak", "gain", "says"),
    [
        (-20, -10, 6, ""),
        (-8, 0.3, -6, ""),
        (-20, -1.5, 5.5, ""),
        (-20, 0, 4, "its peaks stand too far out"),
        (-30, -30, 12, "its noise would come up"),
        (-26.5, -20, 12, ""),
        (-30, 4.5, 0, "its peaks"),
        (-61, -40, 0, "next to nothing"),
        (-math.inf, -99, 0, "next to nothing"),
    ],
)
def test_a_track_is_brought_to_the_target_as_far_as_is_good_for_it(
    loudness: float, peak: float, gain: float, says: str
) -> None:
    found = level("a.mp3", loudness, peak, -14)
    assert decibels(found.factor) == pytest.approx(gain)
    assert says in found.note
    assert bool(says) == bool(found.note)
    assert not says or found.note.startswith("a.mp3 ")


def test_a_track_may_be_left_as_it_is() -> None:
    assert level("a.mp3", -8, 1.0, None) == level("a.mp3", -math.inf, -99, None)
    assert gain_db(-8, 1.0, None) == 0


@given(lufs, st.floats(-99, 10), st.floats(-40, -5))
def test_no_gain_goes_too_far(loudness: float, peak: float, target: float) -> None:
    gain = gain_db(loudness, peak, target)
    assert gain <= MOST_GAIN_DB + 1e-9
    assert gain <= max(0, CEILING_DBTP + MOST_LIMITED_DB - peak) + 1e-9
    assert loudness + gain <= max(target, loudness) + 1e-9
    assert CEILING_DBTP < MOST_DBTP
