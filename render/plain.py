"""Frozen dataclasses to and from JSON-ready values, by their annotations. Standard library only.

Fractions become `"n/d"`, paths strings, tuples lists. Where a field may hold one of several dataclasses, the value
carries its class name as `type`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Turn a value into dicts, lists, strings and numbers."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """Read what `to_plain` made of a `kind`.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    try:
        return _typed(kind, value)  # type: ignore[no-any-return]
    except (KeyError, TypeError, AttributeError, StopIteration, ZeroDivisionError) as exc:
        raise ValueError(f"not a {kind.__name__}: {exc}") from exc


def _typed(kind: Any, value: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: _typed(hints[name], item) for name, item in value.items() if name != "type"})
    if kind in (Fraction, Path):
        return kind(value)
    if get_origin(kind) is tuple:
        args = get_args(kind)
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        return tuple(_typed(one, item) for one, item in zip(kinds, value, strict=True))
    if get_origin(kind) in (Union, UnionType):
        return _one_of(get_args(kind), value)
    return value


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if isinstance(value, dict):
        name = value["type"]
        return _typed(next(kind for kind in kinds if getattr(kind, "__name__", "") == name), value)
    some = [kind for kind in kinds if kind is not NoneType]
    return _typed(some[0], value) if value is not None and len(some) == 1 else value
