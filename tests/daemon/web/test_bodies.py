"""From bytes to JSON: whatever comes, a value or a sentence."""

from __future__ import annotations

import asyncio
import json
import math
import random

import pytest
from starlette.requests import Request

from daemon.web.bodies import MAX_DEPTH, MAX_VALUES, Body, BodyTooSlow, NotJson, parse_body, read_body
from render.errors import FieldProblem, SpecError


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b'{"text": "one\ntwo"}', "\\n"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'{"a": 1} {"b": 2}', "column 10"),
        (b'{"a": "\xff"}', "byte 8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "name a twice"),
        (b'{"v": [{"x\\u0000": 1, "x\\u0000": 3}]}', "twice"),
        (nested(MAX_DEPTH + 1), "nested"),
        (nested(900), "nested"),
        (nested(200_000), "nested"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested"),
        (b"\x00", "line 1"),
    ],
    ids=range(17),
)
def test_what_cannot_be_read_is_said_in_a_sentence(raw: bytes, hint: str) -> None:
    with pytest.raises(NotJson) as caught:
        parse_body(raw)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [{}, [], 1, "x", None, True, {"a": {"b": [1, 2.5, "\ud800"]}}, 10**300])
def test_any_json_value_is_read(value: object) -> None:
    assert parse_body(json.dumps(value).encode()) == Body(value)


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_body(b"\xef\xbb\xbf{}") == Body({})


def test_nesting_is_allowed_up_to_the_limit() -> None:
    assert not parse_body(nested(MAX_DEPTH)).problems
    wide = json.dumps([[] for _ in range(1000)]).encode()
    assert len(parse_body(wide).value) == 1000


@pytest.mark.parametrize(
    "value",
    [
        {f"field{i}": i for i in range(MAX_VALUES + 1)},
        {"client_data": [0] * MAX_VALUES},
        [{"a": 1}] * (MAX_VALUES // 2 + 1),
        [[]] * MAX_VALUES,
    ],
    ids=["members", "items", "objects", "empty arrays"],
)
def test_more_values_than_any_request_has_are_refused_unread(value: object) -> None:
    with pytest.raises(SpecError, match="members and items"):
        parse_body(json.dumps(value).encode())
    with pytest.raises(SpecError, match="members and items"):
        parse_body(json.dumps(value).encode()[:-1] + b", broken")


def test_what_stands_in_strings_is_not_counted() -> None:
    value = {"a": "[{," * MAX_VALUES, 'b\\"[[': "\\", "c": '\\",[{' * MAX_VALUES}
    assert parse_body(json.dumps(value).encode()) == Body(value)
    assert len(parse_body(json.dumps([0] * (MAX_VALUES - 1)).encode()).value) == MAX_VALUES - 1


@pytest.mark.parametrize(
    "raw", [b'"' + b'\\"' * 500_000, b'"' + b'\\"' * 500_000 + b"\\", b'"' * 999_999, b'" ' * 500_000], ids=range(4)
)
def test_a_body_of_nothing_but_quotes_is_answered_in_time(raw: bytes) -> None:
    with pytest.raises(NotJson):
        parse_body(raw)


def test_numbers_that_are_none_are_reported_by_path() -> None:
    body = parse_body(b'{"a": NaN, "b": [1, {"c": 1e309}], "d": -Infinity, "e": 1e308, "NaN": "NaN"}')
    assert [problem.field for problem in body.problems] == ["a", "b[1].c", "d"]
    assert {problem.value_type for problem in body.problems} == {"number"}
    assert math.isnan(body.value["a"])


def test_problems_of_the_body_and_of_the_reader_come_together_and_once() -> None:
    body = parse_body(b'{"a": NaN, "b": 1}')

    def refuse(value: object) -> object:
        raise SpecError([FieldProblem("a", "is odd", "number"), FieldProblem("b", "is odd", "number")])

    with pytest.raises(SpecError) as caught:
        body.parse_with(refuse)
    assert [(p.field, p.message) for p in caught.value.problems] == [("a", "must be a finite number"), ("b", "is odd")]
    with pytest.raises(SpecError):
        body.parse_with(lambda value: value)
    assert Body(1).parse_with(lambda value: value) == 1


def test_damaged_json_never_raises_anything_else() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    whole = json.dumps({"video": {"style": "random", "speed": 0.5}, "text_overlays": [{"text": "é😀\ud800"}]}).encode()
    for _ in range(3000):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            parse_body(bytes(raw[: rng.randint(0, len(raw))]))
        except NotJson as exc:
            str(exc).encode("utf-8")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def silence() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    request = Request({"type": "http", "headers": []}, silence)
    with pytest.raises(BodyTooSlow, match=r"0\.05 s"):
        asyncio.run(read_body(request, deadline_s=0.05))
