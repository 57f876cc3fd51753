"""The kinds of films by name: how each reads a request, checks its names, and is prepared. A new kind is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.kinds import template
from render.spec import parse_template


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `parse` raises SpecError, `check` lists names that stand for nothing, `prepare` compiles."""

    parse: Callable[[object], Any]
    check: Callable[..., list[Any]]
    prepare: Callable[..., template.Prepared]


KINDS = {"template": Kind(parse_template, template.check, template.prepare)}
