"""How an answer is written: JSON that no value can break. Knows nothing of what it says."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import JSONResponse


class Answer(JSONResponse):
    """JSON in ASCII, so that a lone surrogate cannot break it, without NaN, and not to be kept by caches."""

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers(headers)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-content-type-options", "nosniff")

    def render(self, content: Any) -> bytes:
        return dump(content)


def listing(items: list[dict[str, Any]]) -> Answer:
    """Answer with a list in the shape that every list has; `next` is null where nothing follows."""
    return Answer({"items": items, "next": None})


def dump(content: Any) -> bytes:
    """Write JSON; a number that JSON does not have (NaN, infinity) becomes null."""
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
    return text.encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
