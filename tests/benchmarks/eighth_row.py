"""Row 10: a whole job on an eighth of a core, as the smallest rented servers have it."""

from __future__ import annotations

import json
import time

from daemon.commands.demo import REQUEST
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.measure import cpu_s
from tests.benchmarks.report import Outcome
from tests.benchmarks.service import running

TARGET_MIN = 5.0
SHARE = 1 / 8
_SETTLE_S = 2.0


def eighth(bench: Bench) -> Outcome:
    """Count the CPU of API and worker from the request until the film is there, status asked for twice a second.

    The first film of a clip also pays for looking at it; the dearest clip counts.
    """
    costs: dict[str, float] = {}
    with running(bench, "eighth") as service:
        assert service.worker is not None
        pids = (service.api.pid, service.worker.pid)
        connection = service.connect()
        for style in bench.footage.clips:
            wanted = {**REQUEST, "video": {**REQUEST["video"], "style": style}}
            seconds = wanted["video"]["duration"]
            say(f"eighth of a core: {style}, {seconds} s of film ...")
            time.sleep(_SETTLE_S)
            before = sum(cpu_s(pid) for pid in pids)
            job = service.wait_until_done(connection, service.submit(connection, json.dumps(wanted).encode()), 0.5)
            costs[style] = (sum(cpu_s(pid) for pid in pids) - before) / job["result"]["duration_s"] * 60
    minutes = {style: cost / SHARE / 60 for style, cost in costs.items()}
    lines = [f"{style:<12} {costs[style]:.1f} CPU s a minute of film: {minutes[style]:.1f} min" for style in costs]
    worst = max(minutes.values())
    figures = {"cpu_s_per_film_minute": costs}
    return Outcome(f"{worst:.1f} min", worst <= TARGET_MIN, tuple(lines), figures)
