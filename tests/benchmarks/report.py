"""What a row of the benchmark found, and the table and JSON it is printed as. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HEADS = ("row", "what", "measured", "target", "reached")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found: a cell for the table, whether the target is reached (None: not judged), lines, raw figures."""

    measured: str
    reached: bool | None
    lines: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number and name, either of which `--only` takes, what is measured and the target in words."""

    number: str
    name: str
    what: str
    target: str
    run: Callable[[Any], Outcome]


def table(results: Sequence[tuple[Row, Outcome]]) -> str:
    """Lay the rows out in columns."""
    cells = [_HEADS] + [
        (f"{row.number} {row.name}", row.what, outcome.measured, row.target, _reached(outcome))
        for row, outcome in results
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def closing(results: Sequence[tuple[Row, Outcome]]) -> str:
    """One sentence about how many targets were reached."""
    judged = [(row, outcome) for row, outcome in results if outcome.reached is not None]
    missed = [row.name for row, outcome in judged if not outcome.reached]
    if not missed:
        return f"All {len(judged)} targets that were measured are reached."
    return f"{len(judged) - len(missed)} of {len(judged)} targets are reached; missed: {', '.join(missed)}."


def write_json(path: Path, about: dict[str, Any], results: Sequence[tuple[Row, Outcome]]) -> None:
    """Write everything that was measured."""
    rows = [
        {
            "row": row.number,
            "name": row.name,
            "what": row.what,
            "target": row.target,
            "measured": outcome.measured,
            "reached": outcome.reached,
            "figures": outcome.figures,
        }
        for row, outcome in results
    ]
    path.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


def _reached(outcome: Outcome) -> str:
    return {True: "yes", False: "NO", None: "-"}[outcome.reached]
