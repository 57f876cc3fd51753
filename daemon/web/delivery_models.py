"""What `/v1/deliveries` is told. Nothing is computed here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from daemon.errors import BadUrl
from daemon.outbound.urls import parse
from render.strict import Strict

LONGEST_LINK = 2_000


class Resolution(Strict):
    """What somebody has seen of a film that nobody can tell whether it is published."""

    outcome: Literal["published", "not_published", "give_up"] = Field(
        description="`published`: it is there. `not_published`: it is not, and goes out again. `give_up`: it is not, "
        "and is not to be."
    )
    link: str | None = Field(None, max_length=LONGEST_LINK, description="Where it is published, where that is so.")

    @field_validator("link")
    @classmethod
    def _on_the_web(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.data.get("outcome", "published") != "published":
            raise ValueError("says where the film is published; leave it away where it is not")
        try:
            parse(value)
        except BadUrl:
            raise ValueError("must be a URL such as https://www.facebook.com/reel/123") from None
        return value
