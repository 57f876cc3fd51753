"""JSON that nothing can break."""

from __future__ import annotations

import json
import math

import pytest

from daemon.strict_json import dump


@pytest.mark.parametrize("text", ["\ud800", "😀 \u2028 é", "a\x00b", '"quoted"\\'])
def test_any_text_comes_back_as_it_was(text: str) -> None:
    written = dump({"text": text})
    assert written.isascii()
    assert json.loads(written) == {"text": text}


def test_numbers_that_json_does_not_have_become_null() -> None:
    written = dump({"a": [math.nan, 1.5, (math.inf,)], "b": {"c": -math.inf, "d": "NaN"}})
    assert json.loads(written) == {"a": [None, 1.5, [None]], "b": {"c": None, "d": "NaN"}}
