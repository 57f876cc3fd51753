"""`Idempotency-Key`: how a request that comes again is known. Knows no store.

After draft-ietf-httpapi-idempotency-key-header; the key is taken as it stands, with or without quotes.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from starlette.datastructures import Headers

from daemon.jobs import Repeat
from render.errors import FieldProblem, SpecError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
PATTERN = "^[!-~]{1,255}$"
_WORD = re.compile(PATTERN.strip("^$"))


def repeat_word(headers: Headers) -> str | None:
    """Take the key out of the headers; None where there is none.

    Raises:
        SpecError: it is no key, or there are several.
    """
    words = headers.getlist(HEADER)
    if not words:
        return None
    if len(words) > 1 or not _WORD.fullmatch(words[0]):
        raise SpecError([FieldProblem(HEADER, "must be one header of 1 to 255 visible ASCII characters", "string")])
    return words[0]


def repeat(word: str | None, path: str, body: Any) -> Repeat | None:
    """Say how the request is known: SHA-256 over its path and its JSON, whatever the order and spacing of the body."""
    if word is None:
        return None
    canonical = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
    return Repeat(word, hashlib.sha256(canonical.encode("ascii")).hexdigest())
