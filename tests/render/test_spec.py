"""Requests: what is understood, and what is said about what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.errors import FieldProblem, SpecError
from render.spec import parse_template

FOUNDING = json.loads(
    """{ "video": {"style":"random","exposure":1.0,"brightness":1.1,"contrast":1.0,"saturation":1.2,
    "fade_in":0,"fade_out":0,"duration":15,"speed":0.5,"blur":0},
    "audio": {"audio":"random","volume":1.0,"fade_in":2,"fade_out":2},
    "text_overlays": [{"text":"Hello World","font":"Arial","font_size":30,"font_align":"center","font_color":"white",
    "start_time":null,"end_time":null,"fade_in":0.0,"fade_out":0.0,"positionxy":["center","center"],"margin":[0,0,0,0]}],
    "signature": {"text":"@mychannel","font":"Arial","font_size":24,"font_align":"center","font_color":"white",
    "opacity":0.5,"positionxy":["bottom","center"],"margin":[0,25,25,0]},
    "logo": {"name":"logo.png","size":150,"positionxy":["bottom","center"],"margin":[0,25,25,0],"opacity":1.0} }"""
)


def problems(data: object) -> dict[str, FieldProblem]:
    with pytest.raises(SpecError) as caught:
        parse_template(data)
    return {problem.field: problem for problem in caught.value.problems}


def test_founding_request_is_understood() -> None:
    spec = parse_template(FOUNDING)
    assert spec.video.duration == 15
    assert spec.audio.fade_out == 2
    assert spec.text_overlays[0].font_color == (255, 255, 255, 255)
    assert spec.signature is not None
    assert spec.signature.positionxy == ("center", "end")
    assert spec.logo is not None
    assert spec.logo.margin == [0, 25, 25, 0]


def test_empty_request_takes_every_default() -> None:
    spec = parse_template({})
    assert (spec.video.style, spec.video.duration, spec.audio.audio) == ("random", 60, "random")
    assert (spec.output.width, spec.output.height, spec.output.fps) == (1080, 1920, 30)
    assert spec.signature is None


def test_defaults_are_written_as_a_client_writes_them() -> None:
    spec = parse_template({"signature": {"text": "@me"}, "text_overlays": [{"text": "a"}]})
    assert spec.signature is not None
    assert spec.signature.positionxy == ("center", "end")
    assert spec.signature.font_color == (255, 255, 255, 255)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["bottom", "center"], ("center", "end")),
        (["center", "bottom"], ("center", "end")),
        (["left", "top"], ("start", "start")),
        (["top", "left"], ("start", "start")),
        (["center", "left"], ("start", "center")),
        (["top", 300], (300.0, "start")),
        ([300, "top"], (300.0, "start")),
        ([300, "left"], ("start", 300.0)),
        ([540, 960], (540.0, 960.0)),
        (["540", "960"], (540.0, 960.0)),
        (["Middle", "RIGHT"], ("end", "center")),
    ],
)
def test_position_in_either_order(written: list[Any], meant: tuple[Any, Any]) -> None:
    assert parse_template({"text_overlays": [{"positionxy": written}]}).text_overlays[0].positionxy == meant


@pytest.mark.parametrize(
    "written",
    [["top", "bottom"], ["left", "right"], ["top", "top"], ["up", 3], [1], [1, 2, 3], "center", [True, 1], [1e9, 0]],
)
def test_position_refused(written: object) -> None:
    assert set(problems({"logo": {"positionxy": written}})) == {"logo.positionxy"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("white", (255, 255, 255, 255)),
        ("#F80", (255, 136, 0, 255)),
        ("#ff880080", (255, 136, 0, 128)),
        ("rgb(1, 2, 3)", (1, 2, 3, 255)),
        ("rgba(1,2,3,0.5)", (1, 2, 3, 128)),
    ],
)
def test_colours(written: str, meant: tuple[int, ...]) -> None:
    assert parse_template({"text_overlays": [{"font_color": written}]}).text_overlays[0].font_color == meant


@pytest.mark.parametrize(
    ("gradient", "field", "message"),
    [
        ({}, ".colors", "is required"),
        ({"colors": "red"}, ".colors", "must be an array"),
        ({"colors": ["red"]}, ".colors[1]", "is required"),
        ({"colors": ["red", "blue", "green"]}, ".colors", "at most 2 items"),
        ({"colors": ["red", "blu"]}, ".colors[1]", '"blue"'),
        ({"colors": ["red", "blue"], "angle": 400}, ".angle", "at most 360"),
    ],
)
def test_a_gradient_has_two_colours(gradient: dict[str, Any], field: str, message: str) -> None:
    found = problems({"signature": {"gradient": gradient}})
    assert set(found) == {f"signature.gradient{field}"}
    assert message in found[f"signature.gradient{field}"].message


def test_every_problem_at_once_with_its_path() -> None:
    found = problems(
        {
            "vidoe": {},
            "video": {"duration": "long", "speed": 0, "stile": "x"},
            "text_overlays": [{"text": "a", "fontsize": 3, "margin": [1, 2]}, 3],
            "output": {"width": 1081, "quality": "best"},
            "seed": True,
        }
    )
    assert set(found) == {
        "vidoe",
        "video.duration",
        "video.speed",
        "video.stile",
        "text_overlays[0].fontsize",
        "text_overlays[0].margin",
        "text_overlays[1]",
        "output.width",
        "output.quality",
        "seed",
    }
    assert 'Did you mean "video"?' in found["vidoe"].message
    assert '"font_size"' in found["text_overlays[0].fontsize"].message
    assert found["video.duration"].value_type == "string"
    assert found["text_overlays[1]"].value_type == "number"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e309, -1, 601, 10**400])
def test_numbers_out_of_bounds(value: float) -> None:
    assert "video.duration" in problems({"video": {"duration": value}})


def test_times_must_lie_inside_the_film() -> None:
    found = problems({"video": {"duration": 5, "fade_in": 6}, "text_overlays": [{"text": "a", "start_time": 5}]})
    assert set(found) == {"text_overlays[0].start_time", "video.fade_in"}
    assert "5 s" in found["video.fade_in"].message


def test_a_text_must_end_after_it_starts() -> None:
    assert "end_time" in problems({"text_overlays": [{"start_time": 3, "end_time": 3}]})["text_overlays[0]"].message


def test_values_are_never_repeated() -> None:
    secret = "sk-very-secret-value"
    found = problems(
        {"video": {"duration": secret}, "text_overlays": [{"font_color": secret, "positionxy": [secret, 1]}]}
    )
    assert len(found) == 3
    assert not any(secret in problem.message for problem in found.values())


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_lone_surrogates_are_named(text: str) -> None:
    assert "surrogate" in problems({"text_overlays": [{"text": text}]})["text_overlays[0].text"].message


def test_odd_field_names_are_tamed() -> None:
    found = problems({"\ud800" + "x" * 500: 1})
    assert all(field.isascii() and len(field) < 100 for field in found)


def test_limits_of_number_and_length() -> None:
    assert "text_overlays" in problems({"text_overlays": [{}] * 201})
    assert "text_overlays[0].text" in problems({"text_overlays": [{"text": "x" * 10_000}]})
    assert "client_data" in problems({"client_data": "x" * 5000})
    assert len(parse_template({"text_overlays": [{"text": "x"}] * 200}).text_overlays) == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["video", "text_overlays", "logo", "x"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_is_understood_or_refused(data: object) -> None:
    found: tuple[FieldProblem, ...] = ()
    try:
        assert 1 <= parse_template(data).video.duration <= 600
    except SpecError as exc:
        found = exc.problems
    assert all(problem.field and problem.message for problem in found)
