"""Row 1: kill -9 of the worker at random instants, on every database that is there."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.kills import kill_workers

KILLS = 60
KILLS_ON_SERVERS = 12


def test_nothing_is_lost_and_nothing_made_twice(tmp_path: Path, every_target: Path | str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    data = tmp_path / "data"
    data.mkdir()
    report = kill_workers(KILLS if isinstance(every_target, Path) else KILLS_ON_SERVERS, seed, data, every_target)
    print(report)
    assert report.is_good
    assert report.interrupted >= report.kills // 4, "too few kills found a film half made to prove anything"
