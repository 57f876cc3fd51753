"""What every kind of request has beside its film: output, seed, variables, who is told, in which order. Pure."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
)

from render.fieldtypes import Seconds, Whole
from render.layout import REFERENCE_HEIGHT, REFERENCE_WIDTH
from render.publication import Publish
from render.strict import Strict
from render.variables import MAX_VARIABLES, NAME, as_text

MAX_CLIENT_DATA_BYTES = 4_096
MAX_SEED = 2**53 - 1
MAX_URL_CHARACTERS = 4_096
MAX_HEADERS = 20
MAX_HEADER_CHARACTERS = 2_048
HIGHEST_PRIORITY = 10

# What describes the message itself or the connection, and what the signature is in.
_OWN_HEADERS = re.compile(
    r"host|content-\w+|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-\w+|accept-encoding"
    r"|user-agent|webhook-\w+",
    re.I,
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(rf"[\x20-\x7e\t]{{0,{MAX_HEADER_CHARACTERS}}}")


_ANY_VALUE = {"type": ["string", "number", "boolean", "null"]}


class Output(Strict):
    """The file to make."""

    width: Annotated[Whole, Field(ge=128, le=2160)] = Field(REFERENCE_WIDTH, description="Even number of px.")
    height: Annotated[Whole, Field(ge=128, le=3840)] = Field(REFERENCE_HEIGHT, description="Even number of px.")
    fps: Annotated[Whole, Field(ge=10, le=60)] = Field(30, description="Frames a second, constant.")
    quality: Literal["draft", "social", "high"] = Field("social", description="`draft`, `social` or `high`.")
    safe_area: Literal["social", "none"] = Field(
        "social", description="`social` keeps what is placed by words clear of the platforms' own buttons and captions."
    )
    thumbnail_at: Seconds | None = Field(
        None, description="Second that the thumbnail shows; null chooses the best frame."
    )

    @field_validator("width", "height")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be an even number")
        return value


class Request(Strict):
    """Base of the requests of all kinds."""

    model_config = ConfigDict(populate_by_name=True)

    output: Output = Output()
    seed: Annotated[Whole, Field(ge=0, le=MAX_SEED)] | None = Field(
        None, description="Same seed, same request, same library: same film. Null draws one."
    )
    variables: dict[str, Annotated[str, BeforeValidator(as_text), WithJsonSchema(_ANY_VALUE)]] = Field(
        default_factory=dict, description="Values for `{{name}}` in any text: strings, numbers, true, false or null."
    )
    priority: Annotated[Whole, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)] = Field(
        0, description="Jobs of a higher priority are made first."
    )
    callback_url: Annotated[str, Field(max_length=MAX_URL_CHARACTERS)] | None = Field(
        None,
        validation_alias=AliasChoices("callback_url", "webhook_url"),
        description="Told of the job's end by a signed POST; `webhook_url` is the same.",
    )
    callback_headers: dict[str, str] = Field(
        default_factory=dict, description="Headers to send along with it, such as an Authorization."
    )
    publish: Publish | None = Field(
        None, description="Where the finished film is published; without it, what the key is set to. {} is nowhere."
    )
    client_data: Any = Field(None, description="Any JSON up to 4 kB, echoed in status answers and callbacks.")

    @field_validator("variables")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MAX_VARIABLES:
            raise ValueError(f"must have at most {MAX_VARIABLES} members")
        if not all(NAME.fullmatch(name) for name in value):
            raise ValueError("has a name that is not letters, digits and _ (up to 64, the first no digit)")
        return value

    @field_validator("callback_url")
    @classmethod
    def _callable(cls, value: str | None) -> str | None:
        if value is not None:
            check_callback_url(value)
        return value

    @field_validator("callback_headers")
    @classmethod
    def _sendable(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MAX_HEADERS:
            raise ValueError(f"must have at most {MAX_HEADERS} members")
        for name, text in value.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
                raise ValueError("has a header that HTTP does not allow: names are tokens, values visible ASCII")
            if text != text.strip():
                raise ValueError("has a value that HTTP does not allow: it must not begin or end with a space")
            if _OWN_HEADERS.fullmatch(name):
                raise ValueError(f"must not set {name.lower()}: that header is Vix's own")
        if len({name.lower() for name in value}) < len(value):
            raise ValueError("has a header twice: upper and lower case are the same")
        return value

    @field_validator("client_data")
    @classmethod
    def _small(cls, value: Any) -> Any:
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(written.encode("utf-8", "surrogatepass")) > MAX_CLIENT_DATA_BYTES:
            raise ValueError(f"must be at most {MAX_CLIENT_DATA_BYTES} bytes of JSON")
        return value


def variables_of(data: object) -> dict[str, str]:
    """Read the variables of bare JSON, for the texts in it; what is wrong with them is found out by their own field,
    also that there are more than are read here."""
    found = data.get("variables") if isinstance(data, dict) else None
    values: dict[str, str] = {}
    for name, value in islice(found.items(), MAX_VARIABLES) if isinstance(found, dict) else ():
        try:
            values[name] = as_text(value)
        except ValueError:
            values[name] = ""
    return values


def check_callback_url(url: str) -> None:
    """Check what can be known of a URL without asking anybody.

    Raises:
        ValueError: it is not an absolute http(s) URL with a host, or it has a password in it.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        raise ValueError("must be visible ASCII without spaces; write other characters as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://n8n.example.org/webhook/x") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("must be a URL such as https://n8n.example.org/webhook/x")
    if "@" in parts.netloc:
        raise ValueError("must not have a name or password in it; use callback_headers for an Authorization")
