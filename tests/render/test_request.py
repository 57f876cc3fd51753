"""What every kind of request has beside its film."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.errors import SpecError
from render.spec import TemplateSpec, parse_template
from render.strict import MAX_TEXT_CHARACTERS
from render.variables import fill

URL = "https://n8n.example.org/webhook-waiting/8?signature=0f&x=%7e~"


def problems(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        parse_template(data)
    return {problem.field: problem.message for problem in caught.value.problems}


def text_of(text: str, **variables: object) -> str:
    spec = parse_template({"text_overlays": [{"text": text}], "variables": variables})
    return spec.text_overlays[0].text


def test_variables_stand_in_every_text() -> None:
    data = {"text_overlays": [{"text": "Hi {{name}}"}, {"text": "{{ name }}!"}], "signature": {"text": "@{{name}}"}}
    spec: TemplateSpec = parse_template({**data, "variables": {"name": "Ann"}})
    assert [overlay.text for overlay in spec.text_overlays] == ["Hi Ann", "Ann!"]
    assert spec.signature is not None
    assert spec.signature.text == "@Ann"


@pytest.mark.parametrize(
    ("value", "written"),
    [("a", "a"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (1e21, "1e+21"), (True, "true"), (False, "false"), (None, "")],
)
def test_values_are_written_as_a_person_would(value: object, written: str) -> None:
    assert text_of("<{{x}}>", x=value) == f"<{written}>"


def test_a_value_brings_in_no_other() -> None:
    assert text_of("{{a}}", a="{{b}}", b="no") == "{{b}}"


def test_braces_that_name_nothing_stay() -> None:
    assert text_of("{{ }} {x} {{1}} {{a b}}") == "{{ }} {x} {{1}} {{a b}}"


def test_a_name_without_a_value_is_an_error_that_helps() -> None:
    assert (
        "headline" in problems({"signature": {"text": "{{headlin}}"}, "variables": {"headline": "x"}})["signature.text"]
    )
    assert '"variables": {"a": "..."}' in problems({"signature": {"text": "{{a}}"}})["signature.text"]


@pytest.mark.parametrize("value", [[], {}, "x" * 1001])
def test_values_that_are_no_words_are_refused_once(value: object) -> None:
    assert list(problems({"signature": {"text": "{{a}}"}, "variables": {"a": value}})) == ["variables.a"]


@pytest.mark.parametrize("name", ["", "1a", "a b", "a" * 65, "a-b"])
def test_names_are_words(name: str) -> None:
    assert "variables" in problems({"variables": {name: "x"}})


def test_there_are_not_too_many_variables() -> None:
    assert len(parse_template({"variables": {f"a{n}": "" for n in range(100)}}).variables) == 100
    assert "at most 100" in problems({"variables": {f"a{n}": "" for n in range(101)}})["variables"]


def test_a_text_may_become_as_long_as_one_that_was_written_so() -> None:
    assert text_of("{{x}}" * 5, x="y" * 1000) == "y" * MAX_TEXT_CHARACTERS
    assert (
        "at most"
        in problems({"signature": {"text": "{{x}}" * 5 + "z"}, "variables": {"x": "y" * 1000}})["signature.text"]
    )


def test_texts_that_would_become_huge_are_refused_before_they_are_there() -> None:
    text = "{{x}}" * 1000  # a million characters each
    data = {"text_overlays": [{"text": text} for _ in range(200)], "variables": {"x": "\U0001f600" * 1000}}
    tracemalloc.start()
    try:
        found = problems(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 200
    assert found["text_overlays[7].text"] == "must have at most 5000 characters once its variables are filled in"
    assert peak_bytes < 4_000_000, "less than a single one of them"


def test_a_missing_name_is_not_looked_for_among_thousands() -> None:
    data = {"signature": {"text": "{{nam}}"}, "variables": {**{f"a{n}": "" for n in range(100)}, "name": "x"}}
    found = problems(data)
    assert "at most 100" in found["variables"]
    assert "Did you mean" not in found["signature.text"]


@given(st.text(max_size=50), st.text(max_size=50))
def test_what_is_around_a_placeholder_stays(before: str, value: str) -> None:
    before = before.replace("{", "(")
    assert fill(before + "{{x}}", {"x": value}, 100) == before + value


@pytest.mark.parametrize("name", ["callback_url", "webhook_url"])
def test_the_callback_url_stays_as_it_is(name: str) -> None:
    assert parse_template({name: URL}).callback_url == URL


@pytest.mark.parametrize(
    "url",
    ["", "n8n/x", "ftp://n8n/x", "http://", "http:///x", "http://a:99999/", "http://u:p@h/", "http://h/a b", "http://h/ä",
     "http://h/\r\nX: y", "http://h:0/", "http://[::1/", "x" * 4097],
)  # fmt: skip
def test_other_callback_urls_are_refused(url: str) -> None:
    assert list(problems({"callback_url": url})) == ["callback_url"]


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Content-Type", "Webhook-Id", "transfer-encoding", "a b", "a\r\nb", "", "Connection"],
)
def test_headers_that_are_not_the_callers_are_refused(name: str) -> None:
    assert list(problems({"callback_headers": {name: "x"}})) == ["callback_headers"]


@pytest.mark.parametrize("value", ["a\r\nb", "ä", "x" * 2049, "\0"])
def test_header_values_are_visible_ascii(value: str) -> None:
    assert list(problems({"callback_headers": {"Authorization": value}})) == ["callback_headers"]


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\t", " ", "\t"])
def test_header_values_do_not_begin_or_end_with_a_space(value: str) -> None:
    assert problems({"callback_headers": {"X-Flow": value}}) == {
        "callback_headers": "has a value that HTTP does not allow: it must not begin or end with a space"
    }


def test_both_names_of_the_callback_url_are_one_too_many() -> None:
    found = problems({"callback_url": URL, "webhook_url": URL, "vide": {}})
    assert found["webhook_url"] == "is the same as callback_url; send one of them"
    assert "video" in found["vide"]


def test_headers_are_kept() -> None:
    headers = {"Authorization": "Bearer x", "X-Flow": "7", "X-Empty": "", "X-Words": "a b\tc"}
    assert parse_template({"callback_headers": headers}).callback_headers == headers
    assert list(problems({"callback_headers": {"a": "1", "A": "2"}})) == ["callback_headers"]


@pytest.mark.parametrize("priority", [-10, 0, 10])
def test_priorities(priority: int) -> None:
    assert parse_template({"priority": priority}).priority == priority


@pytest.mark.parametrize("priority", [-11, 11, True, "high", 0.5])
def test_priorities_have_bounds(priority: object) -> None:
    assert list(problems({"priority": priority})) == ["priority"]
