"""Kills what publishes again and again, while the far side takes orders that nobody waits for any more, and counts how
often each film was published."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.deliveries.life import State
from daemon.jobs import Job, Status
from daemon.store.database import open_database
from daemon.store.tables import utc_now
from daemon.vault import KeyFile
from tests.canaries import found_in
from tests.daemon.outbox import Outbox
from tests.daemon.workers import PATIENCE_S
from tests.fakes.facebook import Facebook, facebook

PUBLISHING_POINTS = (
    "delivery_claimed",
    "delivery_prepared",
    "delivery_sending",
    "delivery_sent",
    "delivery_accepted",
    "delivery_probed",
    "delivery_done",
)
"""Where what publishes can be made to die."""

LATEST_S = 2.0
_ROOT = Path(__file__).parents[2]
_SLACK_S = 2.5  # a busy machine may be late by itself
_END_S = 300.0
_POSTS_A_PAGE = 25  # fewer than Facebook takes in a day


@dataclass
class Report:
    """What came of some kills: films by how they were published."""

    kills: int
    seed: int
    films: int = 0
    in_the_order: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.not_done)

    def __str__(self) -> str:
        lines = {
            "kills": f"{self.kills} (seed {self.seed}), {self.in_the_order} of them with an order out",
            "films": self.films,
            "never published": len(self.lost),
            "published more than once": len(self.twice),
            "not done in the end": len(self.not_done),
        }
        return "\n".join(f"{name}: {value}" for name, value in lines.items())


@contextmanager
def real_outbox(data: Path, far: Facebook) -> Iterator[Outbox]:
    """An outbox that other processes use, too: real time, and the vault's keys in a file."""
    (data / "films").mkdir(parents=True, exist_ok=True)
    box = Outbox(far, utc_now, open_database(data / "vix.db"), data, keys=KeyFile(data / "vault.key").read)
    box.connect()
    try:
        yield box
        box.hides_its_secrets()
    finally:
        box.database.close()
    for path in data.glob("*.log"):
        assert found_in(path.read_bytes()) == "", path.name


@contextmanager
def publisher(data: Path, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that publishes, killed at the end if it still runs."""
    command = [sys.executable, "-m", "tests.fakes.publisher_process", str(data), json.dumps(settings)]
    process = subprocess.Popen(command, cwd=_ROOT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def kill_publishers(kills: int, seed: int, data: Path, *, naive: bool = False, talk: bool = False) -> Report:
    """Start what publishes, kill it with SIGKILL a moment later, and so on; the last one ends all that is left."""
    rng, report = random.Random(seed), Report(kills, seed)
    late = random.Random(seed + 1)
    pages = max(24, 2 * kills // _POSTS_A_PAGE)
    with (
        facebook(pages=pages, listed_at_once=100, late_s=lambda: late.uniform(0, LATEST_S)) as far,
        real_outbox(data, far) as box,
    ):
        jobs: list[Job] = []

        def ask(count: int) -> None:
            for _ in range(count):
                number = len(jobs)
                publish = {"facebook": {"page": f"Page {number % pages + 1}", "title": f"film {number}"}}
                jobs.append(box.make(box.ask(publish), content=b"film" * 1000))

        ask(8)
        settings = {"url": far.url, "settle_s": LATEST_S + _SLACK_S, "naive": naive}
        for number in range(kills):
            ask(1)
            orders = _orders(far.asked)
            with publisher(data, **settings) as process:
                if number % 5 == 0:  # at any moment, most of which are in its start
                    time.sleep(rng.uniform(0, 1.0))
                else:
                    _wait_for_an_order(far.asked, orders, rng)
                process.kill()
                process.wait(PATIENCE_S)
            report.in_the_order += State.SENDING in {state for job in jobs[-12:] for state in box.states(job)}
            if talk and number % 50 == 49:
                print(f"{number + 1} kills, {len(jobs)} films, {len(far.posts)} published", flush=True)
        with publisher(data, **settings) as process:
            time.sleep(4 * LATEST_S if naive else 0.0)  # what it will never end is not waited for
            until = time.monotonic() + (0.0 if naive else _END_S)
            while time.monotonic() < until and not all(box.jobs.get(job.id).status.is_final for job in jobs):
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        time.sleep(LATEST_S + 0.5)  # until the last order that was given has had its effect
        _examine(report, box, jobs)
    return report


def _wait_for_an_order(asked: list[Any], before: int, rng: random.Random) -> None:
    """Wait until an order to publish is out, or a few seconds where all wait for their settle time, and a bit more."""
    until = time.monotonic() + LATEST_S + 2.0
    while _orders(asked) == before and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.4))


def _orders(asked: list[Any]) -> int:
    return sum(call.params.get("upload_phase") == "finish" for call in list(asked))


def _examine(report: Report, box: Outbox, jobs: list[Job]) -> None:
    report.films = len(jobs)
    published: Counter[str] = Counter()
    for video in box.far.posts:
        published[video.fields["title"]] += video.posts
    for number, job in enumerate(jobs):
        found = published[f"film {number}"]
        if found == 0:
            report.lost.append(job.id)
        if found > 1:
            report.twice.append(job.id)
        if box.jobs.get(job.id).status is not Status.DONE:
            report.not_done.append(job.id)
