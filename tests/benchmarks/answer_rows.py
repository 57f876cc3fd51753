"""Rows 7 and 8: how fast a request is answered behind a long queue, and how fast an idle worker begins."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

from daemon.jobs import NewJob, Status
from daemon.store.jobs import JobStore
from daemon.store.views import JobViews
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.films import request
from tests.benchmarks.measure import rank
from tests.benchmarks.report import Outcome
from tests.benchmarks.service import Service, running

ANSWER_MS, START_MS = 50.0, 200.0
WAITING, FINISHED = 10_000, 50
KEPT, NEW = 300, 100
STARTS = 15
_STYLE = "detail"


def submit(bench: Bench) -> Outcome:
    """Time requests over one connection, then over a new one each, as n8n does it; the slower way counts."""
    wanted = request(_STYLE, bench.seconds)
    with running(bench, "submit", with_worker=False) as service:
        say(f"submit: putting {WAITING:,} jobs into the queue ...")
        store = JobStore(service.database)
        _fill(store, wanted)
        body = json.dumps(wanted).encode()
        kept, new = _kept(service, body), _new(service, body)
        waiting = JobViews(service.database).waiting()
    fsync_ms = _fsync_ms(bench.folder)
    lines = [
        f"{waiting:,} jobs wait at the end, {FINISHED} are finished; a synced write of 4 kB takes {fsync_ms:.1f} ms",
        _line(f"{KEPT} over one connection", kept),
        _line(f"{NEW} over new connections", new),
    ]
    p99 = max(rank(kept, 0.99), rank(new, 0.99))
    figures = {name: _figures(times) for name, times in (("one_connection", kept), ("new_connections", new))}
    return Outcome(f"p99 {p99:.1f} ms", p99 <= ANSWER_MS, tuple(lines), {**figures, "fsync_ms": fsync_ms})


def _fill(store: JobStore, wanted: dict[str, Any]) -> None:
    job = NewJob("template", wanted, 1, "bench", wanted["video"]["duration"])
    result = {"duration_s": 20.0, "width": 1080, "height": 1920, "render_s": 9.0}
    for _ in range(FINISHED):
        store.submit(job)
        claimed = store.claim("bench")
        assert claimed is not None
        store.finish(claimed.claim, result)
    for _ in range(WAITING):
        store.submit(job)


def _kept(service: Service, body: bytes) -> list[float]:
    connection = service.connect()
    times = []
    for _ in range(KEPT):
        started = time.perf_counter()
        service.submit(connection, body)
        times.append((time.perf_counter() - started) * 1000)
    connection.close()
    return times


def _new(service: Service, body: bytes) -> list[float]:
    times = []
    for _ in range(NEW):
        started = time.perf_counter()
        connection = service.connect()
        status, _ = service.call(connection, "POST", "/v1/generate", body, Connection="close")
        connection.close()
        times.append((time.perf_counter() - started) * 1000)
        assert status == 202
    return times


def _line(what: str, times: list[float]) -> str:
    return f"{what}: median {median(times):.1f} ms, p99 {rank(times, 0.99):.1f} ms, longest {max(times):.1f} ms"


def _figures(times: list[float]) -> dict[str, float]:
    return {"median_ms": median(times), "p99_ms": rank(times, 0.99), "max_ms": max(times)}


def _fsync_ms(folder: Path) -> float:
    """What one durable write costs here at least."""
    times = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return median(times)


def start(bench: Bench) -> Outcome:
    """Time from the answer to the moment the jobs table says that the film is being made; looks every 5 ms."""
    body = json.dumps(request(_STYLE, 1)).encode()
    with running(bench, "start") as service:
        store = JobStore(service.database)
        say(f"start: {STARTS} films of a second ...")
        times = [_started_after_ms(service, store, body, number) for number in range(STARTS)]
    line = f"{STARTS} x: median {median(times):.0f} ms, longest {max(times):.0f} ms"
    figures = {"times_ms": times}
    return Outcome(f"{max(times):.0f} ms at most, median {median(times):.0f}", max(times) <= START_MS, (line,), figures)


def _started_after_ms(service: Service, store: JobStore, body: bytes, number: int) -> float:
    # At another moment between two looks of the worker at the table each time.
    time.sleep(0.5 + number % 10 / 10)
    connection = service.connect()
    job_id = service.submit(connection, body)
    answered = time.perf_counter()
    while store.get(job_id).status is Status.IN_QUEUE:
        time.sleep(0.005)
    waited_ms = (time.perf_counter() - answered) * 1000
    service.wait_until_done(connection, job_id)
    connection.close()
    return waited_ms
