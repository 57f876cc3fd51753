"""The one file that asks for a deploy. Whoever deploys takes it away first, so that a later push asks anew.

What stands in it is for people and for the record of the deploy; nothing of it decides what is deployed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from deployhook import files

NAME = "request"


def write(state: Path, reason: str, deliveries: Sequence[str], at: str) -> None:
    """Ask for a deploy; where that was asked for and nobody has begun, this replaces it.

    Raises:
        StateUnwritable: nothing was asked for.
    """
    files.replace(state / NAME, json.dumps({"asked_at": at, "reason": reason, "deliveries": list(deliveries)}) + "\n")


def is_waiting(state: Path) -> bool:
    """Whether a deploy was asked for and nobody has begun."""
    return (state / NAME).exists()


def deliveries(path: Path) -> list[str]:
    """The deliveries that a request names; empty where it was written by hand or cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
        return [one for one in content["deliveries"] if isinstance(one, str)]
    except (OSError, ValueError, LookupError, TypeError):
        return []
