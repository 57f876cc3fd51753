"""`{{name}}` in texts: how values are written into them. Pure; knows no fields."""

from __future__ import annotations

import re
from collections.abc import Mapping

from render.problems import did_you_mean

MAX_VARIABLES = 100
MAX_VALUE_CHARACTERS = 1_000
NAME = re.compile(r"[^\W\d]\w{0,63}")

_PLACEHOLDER = re.compile(r"\{\{\s*([^\W\d]\w{0,63})\s*\}\}")


def fill(text: str, values: Mapping[str, str], most: int) -> str:
    """Replace every `{{name}}` by its value. Values are not looked into, so one cannot bring in another.

    Raises:
        ValueError: a name has no value, or the text would have more than `most` characters; it is not made then.
    """
    grows = (len(_value(match.group(1), values)) - len(match.group()) for match in _PLACEHOLDER.finditer(text))
    if len(text) + sum(grows) > most:
        raise ValueError(f"must have at most {most} characters once its variables are filled in")
    return _PLACEHOLDER.sub(lambda match: _value(match.group(1), values), text)


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        hint = did_you_mean(name, values) or f' Add it: "variables": {{"{name}": "..."}}.'
        raise ValueError(f"uses {{{{{name}}}}}, which variables does not hold.{hint}")
    return values[name]


def as_text(value: object) -> str:
    """Write a JSON value as it stands in a text: numbers in the shortest form, `true` and `false`, null as nothing.

    Raises:
        ValueError: it is an array or an object, or too long.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, str | int | float):
        raise ValueError("must be a string, a number, true, false or null")
    text = str(value)
    if len(text) > MAX_VALUE_CHARACTERS:
        raise ValueError(f"must have at most {MAX_VALUE_CHARACTERS} characters")
    return text
