"""Rows 3 and 4: memory of a render, and what the service uses while nobody asks for anything."""

from __future__ import annotations

import json
import time

from tests.benchmarks.bench import Bench, say
from tests.benchmarks.films import request
from tests.benchmarks.measure import PeakPss, cpu_s, pss_mb, tree
from tests.benchmarks.report import Outcome
from tests.benchmarks.service import running

PEAK_MB = 300.0
IDLE_MB, IDLE_SHARE = 150.0, 0.005
_SETTLE_S, _IDLE_S = 3.0, 15.0


def peak(bench: Bench) -> Outcome:
    """Sum the PSS of the worker and all below it while each clip's first film is made: looking at it included."""
    peaks: dict[str, float] = {}
    lines: list[str] = []
    with running(bench, "memory") as service:
        assert service.worker is not None
        connection = service.connect()
        for style in bench.footage.clips:
            say(f"memory: {style} ...")
            with PeakPss(service.worker.pid) as sampled:
                job_id = service.submit(connection, json.dumps(request(style, bench.seconds)).encode())
                service.wait_until_done(connection, job_id)
            peaks[style] = sampled.peak_mb
            parts = ", ".join(f"{name} {value:.0f}" for name, value in sampled.parts.items())
            lines.append(f"{style:<12} {sampled.peak_mb:.0f} MB ({parts}), {sampled.samples} samples")
    worst = max(peaks.values())
    return Outcome(f"{worst:.0f} MB", worst <= PEAK_MB, tuple(lines), {"peak_pss_mb": peaks})


def idle(bench: Bench) -> Outcome:
    """Look at API and worker after one film each has been asked for and made, so that all is loaded that will be."""
    with running(bench, "idle") as service:
        assert service.worker is not None
        connection = service.connect()
        job_id = service.submit(connection, json.dumps(request(next(iter(bench.footage.clips)), 1)).encode())
        service.wait_until_done(connection, job_id)
        connection.close()
        say(f"idle: watching for {_IDLE_S:g} s ...")
        time.sleep(_SETTLE_S)
        pids = {"api": service.api.pid, "worker": service.worker.pid}
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(_IDLE_S)
        shares = {name: (cpu_s(pid) - before[name]) / _IDLE_S for name, pid in pids.items()}
        memory = {name: pss_mb(tree(pid)) for name, pid in pids.items()}
    total_mb, share = sum(memory.values()), sum(shares.values())
    lines = [f"{name}: {memory[name]:.0f} MB PSS, {shares[name]:.2%} of a core over {_IDLE_S:g} s" for name in pids]
    reached = total_mb <= IDLE_MB and share < IDLE_SHARE
    figures = {"pss_mb": memory, "share_of_a_core": shares}
    return Outcome(f"{total_mb:.0f} MB, {share:.2%} of a core", reached, tuple(lines), figures)
