"""GitHub's webhook protocol: verifies the signature of bytes and reads what they say. No I/O, no clock, no settings.

Source: docs.github.com, "Validating webhook deliveries" and "Webhook events and payloads".
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from deployhook.errors import NotReadable, NotSigned, WrongContentType

MOST_BYTES = 25 * 1024 * 1024  # a larger payload GitHub does not deliver
JSON, FORM = "application/json", "application/x-www-form-urlencoded"

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DELIVERY = re.compile(r"[0-9A-Za-z-]{8,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Push:
    """The branch got a new tip. `pusher` is a name for people to read, printable and short."""

    commit: str
    pusher: str


@dataclass(frozen=True, slots=True)
class Ping:
    """GitHub tries whether somebody is there."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do, and a sentence why."""

    reason: str


Event = Push | Ping | Ignored


def sign(secret: str, body: bytes | bytearray) -> str:
    """The value of `X-Hub-Signature-256` for the raw bytes of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def verify(secret: str, body: bytes | bytearray, signature: str | None) -> None:
    """Compare a signature in constant time.

    Raises:
        NotSigned: it is missing, or not that of these bytes.
    """
    if not signature:
        raise NotSigned("The header X-Hub-Signature-256 is missing; give the webhook the secret that is set here.")
    well_formed = _SIGNATURE.fullmatch(signature) is not None
    if not hmac.compare_digest(sign(secret, body), signature if well_formed else "sha256=" + 64 * "0"):
        raise NotSigned("The signature is not that of this body; give the webhook the secret that is set here.")


def check_content_type(value: str | None) -> str:
    """Return the media type of a body.

    Raises:
        WrongContentType: it is neither of the two that GitHub can be set to.
    """
    media_type = (value or "").split(";")[0].strip().lower()
    if media_type not in (JSON, FORM):
        raise WrongContentType(f"A webhook has the content type {JSON} or {FORM}; set one of them.")
    return media_type


def delivery_id(value: str | None) -> str:
    """Check the number of a delivery.

    Raises:
        NotReadable: it is missing or looks like none.
    """
    if not value or not _DELIVERY.fullmatch(value):
        raise NotReadable("The header X-GitHub-Delivery must be the number of a delivery, such as a GUID.")
    return value


def parse(body: bytes | bytearray, media_type: str) -> dict[str, Any]:
    """Read the payload out of a verified body.

    Raises:
        NotReadable: there is none.
    """
    try:
        text = _of_form(body) if media_type == FORM else body.decode("utf-8")
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise NotReadable("The payload is not JSON that can be read.") from None
    if not isinstance(payload, dict):
        raise NotReadable("The payload is not a JSON object.")
    return payload


def read(event: str | None, payload: dict[str, Any], repository: str, branch: str) -> Event:
    """Say what a payload means for one branch of one repository (`owner/name`).

    Raises:
        NotReadable: it is not what GitHub sends for this event.
    """
    if not event or not _EVENT.fullmatch(event):
        raise NotReadable("The header X-GitHub-Event must name an event, such as push.")
    if event == "ping":
        return Ping()
    if event != "push":
        return Ignored("Only pushes are acted on; this is another event.")
    full_name = _text(payload, "repository", "full_name")
    if full_name.lower() != repository.lower():
        return Ignored("This is a push to another repository.")
    ref = _text(payload, "ref")
    if ref != f"refs/heads/{branch}":
        return Ignored("This is a push of a tag." if ref.startswith("refs/tags/") else "This is another branch.")
    commit = _text(payload, "after")
    if payload.get("deleted") is True or not commit.strip("0"):
        return Ignored("The branch was deleted.")
    if not _COMMIT.fullmatch(commit):
        raise NotReadable("after: must be the hash of a commit, in hexadecimal digits.")
    return Push(commit, _pusher(payload))


def _of_form(body: bytes | bytearray) -> str:
    values = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10).get("payload", [])
    if len(values) != 1:
        raise NotReadable("The form has no field named payload, or several.")
    return values[0]


def _text(payload: dict[str, Any], *names: str) -> str:
    value: Any = payload
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise NotReadable(f"{'.'.join(names)}: must be a text; every push has it.")
    return value


def _pusher(payload: dict[str, Any]) -> str:
    pusher = payload.get("pusher")
    name = pusher.get("name") if isinstance(pusher, dict) else None
    return "".join(c for c in name if c.isprintable())[:_LONGEST_NAME] if isinstance(name, str) else ""
