"""The kinds of films by name: how each reads a request and is prepared. A new kind is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.kinds import template
from daemon.kinds.base import Prepared, Sources
from daemon.sources.library import Library
from fonts_cache import FontCache


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    `read(data, library, fonts)` gives a checked request or raises SpecError; `warnings(spec, fonts)` says at once what
    will be otherwise than asked; `prepare(data, seed, sources)` chooses material and compiles.
    """

    read: Callable[[object, Library, FontCache], Any]
    warnings: Callable[[Any, FontCache], tuple[str, ...]]
    prepare: Callable[[object, int, Sources], Prepared]


KINDS = {"template": Kind(template.read, template.warnings, template.prepare)}
