"""Where a film is to be published and with which words: the `publish` of every request. Pure; knows no far side."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, field_validator

from render.fieldtypes import Whole
from render.problems import ONE, SEVERAL
from render.strict import Strict, filled

LONGEST_TITLE, LONGEST_DESCRIPTION = 250, 5_000
MAX_HASHTAGS = 30
MAX_POSTS = 10
LONGEST_SRT = 200_000
_HASHTAG = re.compile(r"\w{1,100}")
_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")
_SRT_TIME = r"\d{2,}:[0-5]\d:[0-5]\d,\d{3}"
_SRT = re.compile(rf"\s*\d+[ \t]*\r?\n{_SRT_TIME} --> {_SRT_TIME}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")


def _written_out(value: object) -> object:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be a time with its offset, such as 2026-12-24T09:00:00+01:00")
    return value


Time = Annotated[
    AwareDatetime, BeforeValidator(_written_out), WithJsonSchema({"type": "string", "format": "date-time"})
]


class Captions(Strict):
    """Subtitles that viewers can switch on."""

    srt: Annotated[str, Field(max_length=LONGEST_SRT)] = Field(description="The file's text, in the form of SubRip.")
    locale: str = Field("en_US", description="Language and country.")

    @field_validator("srt")
    @classmethod
    def _subrip(cls, value: str) -> str:
        if not _SRT.match(value.removeprefix("\ufeff")):
            raise ValueError("must be SubRip: a number, a line such as 00:00:01,000 --> 00:00:02,500, and the words")
        return value

    @field_validator("locale")
    @classmethod
    def _named(cls, value: str) -> str:
        if not _LOCALE.fullmatch(value):
            raise ValueError("must be a language and a country, such as en_US")
        return value


class FacebookPost(Strict):
    """A post on a Facebook page."""

    page: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Name or id of a connected page; null where only one is connected."
    )
    title: Annotated[str, Field(max_length=LONGEST_TITLE), BeforeValidator(filled)] = Field(
        "", description="Title; `{{name}}` stands for a variable."
    )
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION), BeforeValidator(filled)] = Field(
        "", description="The words of the post; `{{name}}` stands for a variable."
    )
    hashtags: Annotated[list[str], Field(max_length=MAX_HASHTAGS)] = Field(
        default_factory=list, description="Written after the description; with or without `#`."
    )
    kind: Literal["auto", "reel", "video"] = Field(
        "auto", description="`auto`: a Reel where the film may be one, else an ordinary video."
    )
    state: Literal["published", "draft"] = Field("published", description="`draft` is for somebody to look at first.")
    at: Time | None = Field(None, description="When it goes out; null is as soon as the film is finished.")
    scheduled_by: Literal["vix", "facebook"] = Field(
        "vix", description="Who waits until then. Facebook takes times from 20 minutes to 28 days ahead."
    )
    cover: bool = Field(True, description="Whether the film's thumbnail becomes the cover.")
    captions: Captions | None = Field(None, description="Subtitles: `srt`, `locale`.")
    no_repeat: Annotated[Whole, Field(ge=0, le=100)] | None = Field(
        None, description="Posts of the page back in which no clip is shown again; null is what the service is set to."
    )

    @field_validator("hashtags")
    @classmethod
    def _tags(cls, value: list[str]) -> list[str]:
        tags = [tag.removeprefix("#") for tag in value]
        if wrong := next((tag for tag in tags if not _HASHTAG.fullmatch(tag)), None):
            raise ValueError(f'has "{wrong[:40]}", which is no hashtag: letters, digits and _, without spaces')
        return tags


def _how_many(value: object) -> str:
    return SEVERAL if isinstance(value, list | tuple) else ONE


OneOrSeveral = Annotated[
    Annotated[FacebookPost, Tag(ONE)]
    | Annotated[list[FacebookPost], Field(min_length=1, max_length=MAX_POSTS), Tag(SEVERAL)],
    Discriminator(_how_many),
]


class Publish(Strict):
    """Where a film is published."""

    facebook: OneOrSeveral | None = Field(None, description="A post on a Facebook page, or an array of several.")

    @property
    def posts(self) -> dict[str, list[FacebookPost]]:
        """The posts by target."""
        found = self.facebook if isinstance(self.facebook, list) else [self.facebook] if self.facebook else []
        return {"facebook": found} if found else {}
