"""From a pydantic error to sentences a person can act on: field path, what is wrong, what to write instead.

Values are never repeated, since a request may carry secrets and an answer may be logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from render.errors import FieldProblem

_JSON_TYPES = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    tuple: "array",
    dict: "object",
    type(None): "null",
}

# Sentences that say more than pydantic's own; `{...}` are the members of the error's context.
_MESSAGES = {
    "missing": "is required",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of a sane size",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode text; a lone surrogate such as \\ud800 cannot be drawn",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
ONE, SEVERAL = "<one>", "<several>"
"""Tags of fields that take an object or an array of them; they are no part of a path that clients write."""

_NAME_LIMIT = 64
_HINTS = 50


def json_type(value: object) -> str:
    """Name the JSON type of a parsed value."""
    return _JSON_TYPES.get(type(value), "unknown")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Write ` Did you mean "x"?` for the names nearest to `name`, or an empty string where none is near."""
    by_folded = {item.casefold(): item for item in known}
    near = get_close_matches(name.casefold()[:_NAME_LIMIT], by_folded, n=3, cutoff=0.6)
    if not near:
        return ""
    return " Did you mean " + " or ".join(f'"{by_folded[item]}"' for item in near) + "?"


def field_path(loc: Sequence[int | str]) -> str:
    """Write a location as clients write it: `text_overlays[0].font_size`. Odd characters and lengths are tamed."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part.encode("ascii", "backslashreplace").decode()
            name = name if len(name) <= _NAME_LIMIT else name[:_NAME_LIMIT] + "..."
            path += f".{name}" if path else name
    return path or "(body)"


def problems(error: ValidationError, model: type[BaseModel]) -> list[FieldProblem]:
    """Translate every error of a failed validation of `model`."""
    # Looking for near names is the one slow step: a body of nothing but unknown fields must not cost seconds.
    return [_problem(item, model, number < _HINTS) for number, item in enumerate(error.errors(include_url=False))]


def _problem(item: ErrorDetails, model: type[BaseModel], hints: bool) -> FieldProblem:
    loc = tuple(part for part in item["loc"] if part not in (ONE, SEVERAL))
    if item["type"] == "extra_forbidden":
        if twin := _twin(_model_at(model, loc[:-1]), loc[-1]):
            return FieldProblem(field_path(loc), f"is the same as {twin}; send one of them", json_type(item["input"]))
        known = list(_model_at(model, loc[:-1]).model_fields) if hints else []
        hint = (did_you_mean(str(loc[-1]), known) or " Known here: " + ", ".join(known) + ".") if hints else ""
        return FieldProblem(field_path(loc), f"is not a known field.{hint}", json_type(item["input"]))
    template = _MESSAGES.get(item["type"])
    message = template.format(**item.get("ctx", {})) if template else item["msg"]
    return FieldProblem(field_path(loc), message, json_type(item["input"]))


def _twin(model: type[BaseModel], name: int | str) -> str | None:
    """The field that may be written by another name, too, which this is: it is only left over where both are there."""
    fields = ((field, info.validation_alias) for field, info in model.model_fields.items())
    return next((field for field, alias in fields if isinstance(alias, AliasChoices) and name in alias.choices), None)


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel]:
    """Find the model that a location inside `model` points to."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an annotation such as `list[Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
