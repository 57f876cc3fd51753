"""From the bytes of a request to a parsed JSON object. Knows nothing of what the object means.

BodyError
 ├── NotJson           the bytes are not JSON, or JSON that cannot be read without guessing
 ├── BodyTooLarge      more bytes than any request needs
 ├── BodyTooSlow       the bytes did not arrive in time
 └── WrongContentType  a header says that the bytes are something else
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar

import anyio
from starlette.requests import Request

from daemon.errors import VixError
from render.errors import FieldProblem, SpecError
from render.problems import field_path, json_type

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64
# Members and items; 200 texts that set every field have some 8,000. Each takes a hundred times its bytes while checked.
MAX_VALUES = 10_000
BODY_DEADLINE_S = 30.0

# A string, even one that does not end; it always matches from a quote on, so that no text takes quadratic time.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKET = re.compile(r"[^][{}]+")
_JSON_TYPE = re.compile(r"application/(?:[\w.!#$&^+-]+\+)?json")

T = TypeVar("T")


class BodyError(VixError):
    """The body cannot be read."""

    code = "bad_body"


class NotJson(BodyError):
    """The body is not JSON."""

    code = "not_json"


class BodyTooLarge(BodyError):
    """The body is too large."""

    code = "body_too_large"


class BodyTooSlow(BodyError):
    """The body did not arrive in time."""

    code = "body_too_slow"


class WrongContentType(BodyError):
    """The body has a type that is not read here."""

    code = "wrong_content_type"


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed JSON value, and the numbers in it that JSON does not have (`NaN`, `1e309`)."""

    value: Any
    problems: tuple[FieldProblem, ...] = ()

    def parse_with(self, parse: Callable[[object], T]) -> T:
        """Call `parse` with the value.

        Raises:
            SpecError: with the problems of the body and those that `parse` finds, each field once.
        """
        try:
            parsed = parse(self.value)
        except SpecError as exc:
            known = {problem.field for problem in self.problems}
            found = [problem for problem in exc.problems if problem.field not in known]
            raise SpecError([*self.problems, *found]) from None
        if self.problems:
            raise SpecError(self.problems)
        return parsed


async def read_body(request: Request, deadline_s: float = BODY_DEADLINE_S) -> bytes:
    """Read the bytes of a request that says it sends JSON, or says nothing.

    Raises:
        WrongContentType, BodyTooLarge, BodyTooSlow: as their names say.
    """
    _check_headers(request)
    received = bytearray()
    with anyio.move_on_after(deadline_s) as deadline:
        async for chunk in request.stream():
            received += chunk
            _check_size(len(received))
    if deadline.cancelled_caught:
        raise BodyTooSlow(f"The body did not arrive within {deadline_s:g} s; send it again.")
    return bytes(received)


def parse_body(raw: bytes) -> Body:
    """Parse the bytes as one JSON value.

    Raises:
        NotJson: they are not UTF-8 or not JSON, an object has a name twice, or values are nested too deeply.
        SpecError: it has far more values than any request.
    """
    reader = _Reader()
    try:
        text = raw.decode("utf-8-sig")
        _check_structure(text)
        value = reader.read(text)
    except UnicodeDecodeError as exc:
        raise NotJson(f"The body is not UTF-8: byte {exc.start + 1} cannot be read; encode it as UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise NotJson(_where(exc, raw)) from None
    return Body(value, tuple(_odd_numbers(value)) if reader.met_odd_number else ())


class _Reader:
    """Reads JSON text strictly, but lets numbers through that are none, so that they can be reported by their path."""

    def __init__(self) -> None:
        self.met_odd_number = False

    def read(self, text: str) -> Any:
        return json.loads(
            text,
            parse_float=self._float,
            parse_constant=self._float,
            parse_int=self._int,
            object_pairs_hook=self._object,
        )

    def _float(self, text: str) -> float:
        number = float(text)
        self.met_odd_number |= not math.isfinite(number)
        return number

    def _int(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:  # Python refuses to read numbers of more than some thousand digits
            raise NotJson("The body has a whole number with thousands of digits; write a shorter one.") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise NotJson(f"An object of the body has the name {field_path([twice])} twice; keep one of them.")
        return found


def _check_headers(request: Request) -> None:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type and not _JSON_TYPE.fullmatch(media_type):
        raise WrongContentType(
            'Only JSON is read here; send a JSON body and the header "Content-Type: application/json".'
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise WrongContentType(
            'Compressed bodies are not read; send it plain and without the header "Content-Encoding".'
        )
    length = request.headers.get("content-length", "")
    _check_size(int(length) if length.isdecimal() else 0)


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_BODY_BYTES:
        raise BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes; a request needs a few thousand.")


def _where(error: json.JSONDecodeError, raw: bytes) -> str:
    if not raw.strip():
        return "The body is empty; send a JSON object, {} asks for all defaults."
    hint = "check quotes and commas, and write a line break inside a string as \\n"
    return f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; {hint}."


def _check_structure(text: str) -> None:
    """Count levels and values before anything is built from them.

    Every member or item but the first of its object or array follows a comma; strings must not be counted in.
    """
    plain = _STRING.sub("", text)
    brackets = _NO_BRACKET.sub("", plain)
    if max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0) > MAX_DEPTH:
        raise NotJson(f"The body is nested too deeply; use at most {MAX_DEPTH} levels of objects and arrays.")
    if plain.count(",") + plain.count("[") + plain.count("{") > MAX_VALUES:
        hint = f"has more than {MAX_VALUES} members and items; a film is asked for with a few hundred"
        raise SpecError([FieldProblem(field_path(()), hint, "object" if plain.lstrip()[:1] == "{" else "array")])


def _odd_numbers(value: Any, loc: tuple[int | str, ...] = ()) -> list[FieldProblem]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [problem for name, item in items for problem in _odd_numbers(item, (*loc, name))]
    if isinstance(value, float) and not math.isfinite(value):
        return [FieldProblem(field_path(loc), "must be a finite number", json_type(value))]
    return []
