"""The long version of the kills: `vix faults --kills 1000 [--seed N] [--database URL]`. Prints what came of it."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import click

from tests.faults.kills import kill_workers


@click.command()
@click.option("--kills", default=1000, show_default=True, type=click.IntRange(1), help="How often to kill the worker.")
@click.option("--seed", type=int, help="What the moments and the films are drawn by; by default another each time.")
@click.option("--database", help="A URL of an empty database; by default a SQLite file.")
def main(kills: int, seed: int | None, database: str | None) -> None:
    """Kill workers at random moments; exits with 1 where a job was lost, made twice, or the database is damaged."""
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vix-faults-") as folder:
        report = kill_workers(kills, seed, Path(folder), database or Path(folder) / "vix.db", talk=True)
    print(report)
    sys.exit(0 if report.is_good else 1)


if __name__ == "__main__":
    main(prog_name="vix faults")
