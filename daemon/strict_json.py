"""JSON that every reader takes. Knows nothing of what it says."""

from __future__ import annotations

import json
import math
from typing import Any


def dump(content: Any) -> str:
    """Write JSON in ASCII, so that a lone surrogate cannot break it; a number that JSON does not have (NaN, infinity)
    becomes null."""
    try:
        return json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
