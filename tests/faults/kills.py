"""Kills workers again and again while they make films, and counts what came of every job."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from daemon.jobs import Job, Status
from daemon.queue import Doorbell
from daemon.store.database import open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.workers import WorkerStore
from tests.daemon.workers import PATIENCE_S, eventually, submit, worker


@dataclass
class Report:
    """What came of some kills: jobs by what is wrong with them, and seconds from a start to an orphan in the queue."""

    kills: int
    seed: int
    jobs: int = 0
    interrupted: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    without_film: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    overlaps: int = 0
    integrity: str = "ok"
    requeue_s: list[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        wrong = (self.lost, self.twice, self.without_film, self.strays, self.overlaps)
        return not any(wrong) and self.integrity == "ok"

    def __str__(self) -> str:
        slowest = f"{max(self.requeue_s):.2f} s at most" if self.requeue_s else "none was needed"
        lines = {
            "kills": f"{self.kills} (seed {self.seed}), {self.interrupted} of them in the middle of a film",
            "jobs": self.jobs,
            "lost": len(self.lost),
            "made twice to the end": len(self.twice),
            "done without a film": len(self.without_film),
            "files of nobody": len(self.strays),
            "films made at the same time": self.overlaps,
            "database": self.integrity,
            "from a start to the orphan in the queue": slowest,
        }
        return "\n".join(f"{name}: {value}" for name, value in lines.items())


def kill_workers(kills: int, seed: int, data: Path, target: Path | str, talk: bool = False) -> Report:
    """Start a worker, let it make films, kill it with SIGKILL, and so on; the last one ends all that is left."""
    rng, report = random.Random(seed), Report(kills, seed)
    database = open_database(target)
    store, table, doorbell = JobStore(database), WorkerStore(database), Doorbell(data / "queue.db")
    jobs: list[Job] = []

    def ask(count: int) -> None:
        for _ in range(count):
            jobs.append(submit(store, rng.uniform(0.05, 0.3)))
            doorbell.ring(jobs[-1].id)

    settings = {"database": str(target), "max_attempts": 10 * kills, "sweep_s": 0.2, "least_bytes": 0}
    starts: list[float] = []
    ask(3)
    for number in range(kills):
        ask(1)
        starts.append(time.time())
        with worker(data, **settings) as process:
            if number % 4 == 0:  # at any moment, most of which are in its start
                time.sleep(rng.uniform(0, 1.0))
            else:
                mine = f".{process.pid}-"
                eventually(lambda: any(mine in owner for owner in store.owners_at_work()), "a film is begun")  # noqa: B023
                time.sleep(rng.uniform(0, 0.3))
            process.kill()
            process.wait(PATIENCE_S)
        report.interrupted += bool(store.owners_at_work())
        if talk and number % 50 == 49:
            print(f"{number + 1} kills, {len(jobs)} jobs", flush=True)
    starts.append(time.time())
    with worker(data, **settings) as process:
        for job in jobs:  # one after the other: the more there are, the longer it takes
            eventually(lambda: store.get(job.id).status.is_final, "a job ends")  # noqa: B023
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    doorbell.close()
    assert [seen.id for seen in table.all() if f".{process.pid}-" in seen.id] == []
    _examine(report, jobs, store, EventStore(database), data, starts)
    database.close()
    if isinstance(target, Path):
        with closing(sqlite3.connect(target)) as connection:
            report.integrity = str(connection.execute("pragma integrity_check").fetchone()[0])
    return report


def _examine(
    report: Report, jobs: list[Job], store: JobStore, events: EventStore, data: Path, starts: list[float]
) -> None:
    report.jobs = len(jobs)
    films = set()
    for job in jobs:
        found = store.get(job.id)
        happened = events.after(job.id, 0, 100_000)
        ends = Counter(event.type for event in happened)
        if found.status is not Status.DONE:
            report.lost.append(job.id)
        if ends["job.done"] > 1:
            report.twice.append(job.id)
        path = data / "films" / f"{found.film}.mp4"
        films.add(path.name)
        if not path.exists() or int(path.read_text()) != (found.result or {}).get("maker"):
            report.without_film.append(job.id)
        for event in happened:
            if event.type == "job.put_back":
                at = event.at.timestamp()
                report.requeue_s.append(at - max(start for start in starts if start <= at))
    report.strays = sorted({path.name for path in (data / "films").iterdir()} - films)
    if (overlaps := data / "overlaps").exists():
        report.overlaps = len(overlaps.read_text().splitlines())
