"""The base of all request objects, and texts with variables in them. Pure; knows no fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from render.variables import fill

MAX_TEXT_CHARACTERS = 5_000


class Strict(BaseModel):
    """Base of all request objects: an unknown field is an error, a value never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def filled(value: object, info: ValidationInfo) -> object:
    """Write the request's variables into a text; where they are None, the text stays. What is too long before is left
    as it is, and refused for that."""
    variables = (info.context or {}).get("variables", {})
    if isinstance(value, str) and len(value) <= MAX_TEXT_CHARACTERS and variables is not None:
        return fill(value, variables, MAX_TEXT_CHARACTERS)
    return value


TextWithVariables = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), BeforeValidator(filled)]
