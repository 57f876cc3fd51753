"""Variables that change from run to run."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daemon.rotation import resolved, turns_to_try
from render.errors import SpecError

AT = datetime(2026, 3, 4, 9, 5, tzinfo=ZoneInfo("Europe/Berlin"))


def variables(turn: int = 0, **given: Any) -> Any:
    return resolved({"variables": given, "seed": 7}, turn, AT)["variables"]


def test_lists_rotate_each_by_itself() -> None:
    given = {"quote": ["a", "b"], "number": [1, 2, 3], "plain": True}
    found = [variables(turn, **given) for turn in range(7)]
    assert [one["quote"] for one in found] == ["a", "b", "a", "b", "a", "b", "a"]
    assert [one["number"] for one in found] == [1, 2, 3, 1, 2, 3, 1]
    assert all(one["plain"] is True for one in found)


def test_dates_are_written_as_asked() -> None:
    assert variables(when={"date": "%d.%m.%Y"}) == {"when": "04.03.2026"}
    assert variables(when={"date": "%A, %B %y %H:%M day %j, week %V; 100%%d"}) == {
        "when": "Wednesday, March 26 09:05 day 063, week 10; 100%d"
    }


def test_a_request_without_variables_stays_as_it_is() -> None:
    for spec in ({}, {"variables": None}, {"variables": [1]}, {"variables": "x"}):
        assert resolved(spec, 3, AT) == spec


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ([], "variables.x", "1 to 1000 items"),
        (["a", ["b"], {}], "variables.x[1]", "must be a string, a number"),
        (["a" * 1001], "variables.x[0]", "at most 1000 characters"),
        ({}, "variables.x", 'or {"date"'),
        ({"date": "%d", "zone": "UTC"}, "variables.x", 'or {"date"'),
        ({"date": 7}, "variables.x.date", "must be a form"),
        ({"date": ""}, "variables.x.date", "must be a form"),
        ({"date": "%d" * 51}, "variables.x.date", "must be a form"),
        ({"date": "%s"}, "variables.x.date", "%d, %m, %Y, %y, %H, %M, %A, %B, %j, %V, and %% for"),
        ({"date": "%-d"}, "variables.x.date", "means nothing here"),
        ({"date": "%"}, "variables.x.date", "means nothing here"),
        ({"date": "%\n"}, "variables.x.date", "means nothing here"),
    ],
)
def test_what_is_none(value: Any, field: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        variables(x=value)
    assert caught.value.problems[0].field == field
    assert message in caught.value.problems[0].message


def test_odd_characters_of_a_form_are_kept() -> None:
    assert variables(when={"date": "\ud800\0 %d"}) == {"when": "\ud800\0 04"}


def test_every_value_is_tried_even_where_lists_are_long() -> None:
    spec = {"variables": {"a": ["x"] * 500 + ["longest"] + ["x"] * 400, "b": ["1", "22"], "c": 3}}
    tried = [one["variables"] for one in turns_to_try(spec)]
    assert len(tried) == 100
    assert tried[0] == {"a": "x", "b": "22", "c": 3}
    assert tried[-1] == {"a": "longest", "b": "22", "c": 3}


def test_as_many_turns_are_tried_as_differ() -> None:
    assert len(list(turns_to_try({"variables": {"a": ["x", "y"], "b": ["1", "2", "3"]}}))) == 5 + 1
    assert list(turns_to_try({"variables": {"a": "x"}})) == []
    assert list(turns_to_try({})) == []
