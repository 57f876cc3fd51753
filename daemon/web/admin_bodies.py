"""From the bytes of an admin call to one of its models. Knows no resource."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from daemon.web.bodies import parse_body, read_body
from render.errors import SpecError
from render.problems import problems

Model = TypeVar("Model", bound=BaseModel)


async def read_model(request: Request, model: type[Model]) -> Model:
    """Read the body as `model`; an empty one is an empty object.

    Raises:
        BodyError, SpecError: as `read_body` and `parse_body` do, and with every wrong field at once.
    """
    body = parse_body(await read_body(request) or b"{}")

    def parse(data: object) -> Model:
        try:
            # The texts of a key's `publish` are filled for each film, and stay as they are until then.
            return model.model_validate(data, context={"variables": None})
        except ValidationError as exc:
            raise SpecError(problems(exc, model)) from None

    return body.parse_with(parse)
