"""The long version of the kills: `vix faults --kills 1000 [--publish] [--seed N] [--database URL]`. Prints what came
of it."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import click

from tests.faults.kills import Report, kill_workers
from tests.faults.publish_kills import Report as PublishReport
from tests.faults.publish_kills import kill_publishers


@click.command()
@click.option("--kills", default=1000, show_default=True, type=click.IntRange(1), help="How often to kill the worker.")
@click.option("--seed", type=int, help="What the moments and the films are drawn by; by default another each time.")
@click.option("--publish", is_flag=True, help="Kill what publishes films, instead of what makes them.")
@click.option("--database", help="A URL of an empty database; by default a SQLite file.")
def main(kills: int, seed: int | None, publish: bool, database: str | None) -> None:
    """Kill workers at random moments; exits with 1 where a job was lost, made or published twice, or the database is
    damaged."""
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vix-faults-") as folder:
        report: Report | PublishReport
        if publish:
            report = kill_publishers(kills, seed, Path(folder), talk=True)
        else:
            report = kill_workers(kills, seed, Path(folder), database or Path(folder) / "vix.db", talk=True)
    print(report)
    sys.exit(0 if report.is_good else 1)


if __name__ == "__main__":
    main(prog_name="vix faults")
