"""What one row of the table of doors says: the way in, who may use it, and how it is documented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from daemon.web.access import Access
from daemon.web.call import Handler


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be said beside the body. `schema` is JSON Schema; `name` is that of the path, the URL or the header."""

    name: str
    where: Literal["path", "query", "header"]
    about: str
    schema: Mapping[str, Any]
    example: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: JSON of a model, text or bytes of other types, or nothing. `headers` are names with what they
    say."""

    about: str
    model: type[BaseModel] | None = None
    example: Any = None
    media_types: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manual:
    """How a door is documented. `errors` are those beyond what its access, body and parameters can end with."""

    group: str
    about: str
    replies: Mapping[int, Reply]
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | None = None
    body_example: Any = None
    is_body_optional: bool = False
    errors: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """One way in. Who may use it is said for each; there is no default."""

    method: str
    path: str
    handler: Handler
    access: Access
    manual: Manual
