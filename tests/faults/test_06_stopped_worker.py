"""Row 6: a worker that is stopped for longer than its lease loses its job, and writes nothing once it wakes.

And what that is for: two machines with folders of their own share one database, and one makes the other's job.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from daemon.jobs import Job, Status
from daemon.store.database import open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.worker.lock import seat
from tests.daemon.workers import PATIENCE_S, eventually, state, submit, worker

LEASE_S = 3.0


def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The data folders of two machines; films go to one that they share."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    return first, second


def settings(tmp_path: Path, target: Path | str) -> dict[str, object]:
    films = str(tmp_path / "films")
    return {"database": str(target), "films": films, "lease_s": LEASE_S, "sweep_s": 0.1, "least_bytes": 0}


def is_made_at(store: JobStore, job: Job, data: Path) -> bool:
    owner = store.get(job.id).owner
    return bool(owner and owner.startswith(f"{seat(data)}.")) and store.get(job.id).stage == "render"


def ends(events: EventStore, job: Job) -> Counter[str]:
    return Counter(event.type for event in events.after(job.id))


def test_the_second_run_wins_and_the_woken_one_writes_nothing(tmp_path: Path, every_target: Path | str) -> None:
    database = open_database(every_target)
    store, events = JobStore(database), EventStore(database)
    first, second = folders(tmp_path)
    job = submit(store, 4)
    with worker(first, **settings(tmp_path, every_target)) as stopped:
        eventually(lambda: is_made_at(store, job, first), "the first makes it")
        stopped.send_signal(signal.SIGSTOP)
        eventually(lambda: state(stopped.pid) == "T", "it stands still")
        maker = int((first / "maker.pid").read_text())
        os.kill(maker, signal.SIGSTOP)
        with worker(second, **settings(tmp_path, every_target)):
            eventually(lambda: is_made_at(store, job, second), "the second has taken it over")
            os.kill(maker, signal.SIGCONT)
            stopped.send_signal(signal.SIGCONT)
            eventually(lambda: "taken from this worker" in (first / "worker.log").read_text(), "the first knows")
            following = submit(store, 0.01)
            eventually(lambda: store.get(job.id).status is Status.DONE, "the film is made")
            eventually(lambda: store.get(following.id).status is Status.DONE, "and the next")
    found = store.get(job.id)
    assert (found.attempt, found.film) == (2, f"{job.id}.2")
    assert ends(events, job)["job.done"] == 1
    assert not list((first / "work").iterdir()), "the first has cleared up"
    names = {path.name for path in (tmp_path / "films").iterdir()}
    assert names == {f"{store.get(one.id).film}.mp4" for one in (job, following)}
    database.close()


def test_a_killed_machines_job_ends_on_the_other(tmp_path: Path, every_target: Path | str) -> None:
    database = open_database(every_target)
    store, events = JobStore(database), EventStore(database)
    first, second = folders(tmp_path)
    long = submit(store, 3)
    with worker(first, **settings(tmp_path, every_target)) as killed:
        eventually(lambda: is_made_at(store, long, first), "the first makes it")
        with worker(second, **settings(tmp_path, every_target)) as other:
            others = [submit(store, 0.2) for _ in range(3)]
            eventually(lambda: len(store.owners_at_work()) == 2, "both are at work")
            killed.kill()
            killed.wait(PATIENCE_S)
            jobs = [long, *others]
            eventually(lambda: all(store.get(job.id).status is Status.DONE for job in jobs), "all films are made")
            other.send_signal(signal.SIGTERM)
            assert other.wait(PATIENCE_S) == 0
    found = store.get(long.id)
    assert (found.attempt, str(found.owner).partition(".")[0]) == (2, seat(second))
    for job in jobs:
        assert ends(events, job)["job.done"] == 1
        assert (tmp_path / "films" / f"{store.get(job.id).film}.mp4").exists()
    for data in (first, second):
        assert not (data / "overlaps").exists(), "one machine made two films at once"
    assert not list((second / "work").iterdir())
    database.close()


def test_a_living_worker_keeps_its_job_however_long_it_takes(tmp_path: Path) -> None:
    target = tmp_path / "vix.db"
    database = open_database(target)
    store = JobStore(database)
    first, second = folders(tmp_path)
    job = submit(store, 9)  # three leases
    with worker(first, **settings(tmp_path, target)):
        eventually(lambda: is_made_at(store, job, first), "the first makes it")
        with worker(second, **settings(tmp_path, target)):
            eventually(lambda: store.get(job.id).status is Status.DONE, "the film is made")
    assert store.get(job.id).attempt == 1
    database.close()
