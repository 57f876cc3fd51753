"""The parameters of a URL, read as strictly as a body: an unknown one is an error, and all errors come at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from daemon.errors import UnknownJob
from daemon.web.call import Call
from render.errors import FieldProblem, SpecError
from render.problems import did_you_mean, field_path

# More than any counter in the database can be.
LARGEST = 2**63 - 1
MOST = 20
_ID = re.compile(r"job_[a-z0-9]{20}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")
Reader = Callable[[str], Any]


def job_id(call: Call) -> str:
    """Take the job's id out of the path.

    Raises:
        UnknownJob: it cannot be one, so that nobody need be asked.
    """
    found: str = call.request.path_params["job_id"]
    if not _ID.fullmatch(found):
        raise UnknownJob
    return found


def read(call: Call, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read the parameters that are there.

    `readers` turn a text into a value or raise ValueError with what it must be.

    Raises:
        SpecError: naming each parameter that is unknown, wrong, or there twice; or there are far too many.
    """
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, texts in _given(call).items():
        try:
            values[name] = _value(name, texts, readers)
        except ValueError as exc:
            problems.append(FieldProblem(field_path([name]), str(exc), "string"))
    if problems:
        raise SpecError(problems)
    return values


def _given(call: Call) -> dict[str, list[str]]:
    """What is written for each name.

    Raises:
        SpecError: there are more than any path takes, so that nobody need look at each.
    """
    items = call.request.query_params.multi_items()
    if len(items) > MOST:
        message = f"has more than {MOST} parameters; no path here has as many"
        raise SpecError([FieldProblem("(query)", message, "string")])
    given: dict[str, list[str]] = {}
    for name, text in items:
        given.setdefault(name, []).append(text)
    return given


def _value(name: str, texts: list[str], readers: Mapping[str, Reader]) -> Any:
    if name not in readers:
        known = ", ".join(readers) or "none"
        raise ValueError(f"is not a parameter of this path.{did_you_mean(name, readers) or f' Known here: {known}.'}")
    if len(texts) > 1:
        raise ValueError("is there twice; write it once")
    return readers[name](texts[0])


def whole(least: int, most: int) -> Reader:
    """Make a reader of whole numbers."""

    def reader(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return reader


def one_of(*words: str) -> Reader:
    """Make a reader of fixed words."""

    def reader(text: str) -> str:
        if text not in words:
            raise ValueError("must be " + ", ".join(words[:-1]) + (" or " if words[1:] else "") + words[-1])
        return text

    return reader


def seconds(text: str) -> Fraction:
    """Read a number of seconds, exactly as it is written.

    Raises:
        ValueError: it is none, or less than 0.
    """
    if not _SECONDS.fullmatch(text):
        raise ValueError("must be a number of seconds from 0, such as 3.5")
    return Fraction(text)


def switch(text: str) -> bool:
    """Read `1`, `true`, `0` or `false`.

    Raises:
        ValueError: it is none of these.
    """
    if text.lower() not in ("1", "true", "0", "false"):
        raise ValueError("must be 1 or 0")
    return text.lower() in ("1", "true")
