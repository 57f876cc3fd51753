"""Variables that change from run to run: lists to rotate through, and dates. Pure; knows no film and no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from render.errors import FieldProblem, SpecError
from render.problems import field_path, json_type
from render.variables import MAX_VARIABLES, as_text

MOST_VALUES = 1_000
MOST_TURNS_TRIED = 100
LONGEST_FORMAT = 100
DIRECTIVES = "dmYyHMABjV"
_PERCENT = re.compile(r"%(.?)", re.DOTALL)


def resolved(spec: Mapping[str, Any], turn: int, at: datetime) -> dict[str, Any]:
    """Write a request as it is in this turn (0 is the first) and at this time, which is aware and local.

    Raises:
        SpecError: naming each variable that is neither a value, a list of them nor a date.
    """
    variables = spec.get("variables")
    if not isinstance(variables, dict):
        return dict(spec)
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    # What is more than a request may have is refused for that.
    for number, (name, value) in enumerate(variables.items()):
        values[name] = value
        if number < MAX_VARIABLES:
            try:
                values[name] = _value(value, turn, at, ("variables", name))
            except SpecError as exc:
                problems += exc.problems
    if problems:
        raise SpecError(problems)
    return {**spec, "variables": values}


def turns_to_try(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the request with each set of variables that it has to bear: those of the first turns, and, as a list may be
    longer, the longest value of every list together. Its variables have to be such that `resolved` takes them."""
    variables = spec.get("variables")
    lists = {name: value for name, value in _members(variables) if isinstance(value, list)}
    if not lists or not isinstance(variables, dict):
        return
    for turn in range(1, min(MOST_TURNS_TRIED, _period(lists))):
        yield {**spec, "variables": variables | {name: value[turn % len(value)] for name, value in lists.items()}}
    longest = {name: max(value, key=lambda item: len(as_text(item))) for name, value in lists.items()}
    yield {**spec, "variables": variables | longest}


def _members(variables: object) -> Iterator[tuple[str, Any]]:
    return iter(variables.items() if isinstance(variables, dict) else ())


def _period(lists: Mapping[str, list[Any]]) -> int:
    """After how many turns everything comes again, as far as that is worth knowing."""
    lengths = {len(value) for value in lists.values()}
    return next((n for n in range(1, MOST_TURNS_TRIED) if all(n % length == 0 for length in lengths)), MOST_TURNS_TRIED)


def _value(value: Any, turn: int, at: datetime, path: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return _rotated(value, turn, path)
    if isinstance(value, dict):
        return _date(value, at, path)
    return value


def _rotated(values: list[Any], turn: int, path: tuple[str, ...]) -> Any:
    if not 1 <= len(values) <= MOST_VALUES:
        raise _wrong(path, f"must have 1 to {MOST_VALUES} items to rotate through", values)
    problems = []
    for number, item in enumerate(values):
        try:
            as_text(item)
        except ValueError as exc:
            problems.append(FieldProblem(field_path((*path, number)), str(exc), json_type(item)))
    if problems:
        raise SpecError(problems)
    return values[turn % len(values)]


def _date(value: dict[str, Any], at: datetime, path: tuple[str, ...]) -> str:
    if set(value) != {"date"}:
        raise _wrong(path, 'must be a value, a list to rotate through, or {"date": "%d.%m.%Y"}', value)
    form = value["date"]
    path = (*path, "date")
    if not isinstance(form, str) or not 1 <= len(form) <= LONGEST_FORMAT:
        raise _wrong(path, f'must be a form such as "%d.%m.%Y", of at most {LONGEST_FORMAT} characters', form)
    if any(match[1] not in (*DIRECTIVES, "%") for match in _PERCENT.finditer(form)):
        known = ", ".join(f"%{letter}" for letter in DIRECTIVES)
        raise _wrong(path, f"has a % that means nothing here; there are {known}, and %% for the sign itself", form)
    return _PERCENT.sub(lambda match: "%" if match[1] == "%" else at.strftime(match[0]), form)


def _wrong(path: tuple[str, ...], message: str, value: object) -> SpecError:
    return SpecError([FieldProblem(field_path(path), message, json_type(value))])
