"""How an answer is written: JSON that no value can break. Knows nothing of what it says."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from daemon import strict_json


class Answer(JSONResponse):
    """JSON in ASCII, so that a lone surrogate cannot break it, without NaN, and not to be kept by caches."""

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers(headers)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-content-type-options", "nosniff")

    def render(self, content: Any) -> bytes:
        return strict_json.dump(content).encode("ascii")


def listing(items: list[dict[str, Any]], following: str | None = None) -> Answer:
    """Answer with a list in the shape that every list has; `next` is null where nothing follows."""
    return Answer({"items": items, "next": following})
