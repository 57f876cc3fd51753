"""Row 9: how long a picture of a film takes that is not made."""

from __future__ import annotations

import json
import time
from statistics import median

from tests.benchmarks.bench import Bench, python, say
from tests.benchmarks.films import request
from tests.benchmarks.measure import rank, run
from tests.benchmarks.report import Outcome
from tests.benchmarks.service import Service, running

PREVIEW_MS = 400.0
SECONDS = 15
_STYLES = ("detail", "gradient", "water")


def preview(bench: Bench) -> Outcome:
    """Time a look at every second of films with all effects on, and a second look, as whoever moves a text takes it.

    The clips of this benchmark have key frames four seconds apart, and each first look decodes from one.
    """
    with running(bench, "preview", with_worker=False) as service:
        run(python("daemon", "library", "scan"), bench.env(service.data), bench.folder)
        say(f"preview: {SECONDS} seconds of {len(_STYLES)} films, twice ...")
        _look(service, _STYLES[0], 0)  # the process that draws is started by the first
        first = [_look(service, style, second) for style in _STYLES for second in range(SECONDS)]
        again = [_look(service, style, SECONDS - 1) for style in _STYLES for _ in range(5)]
    lines = [
        f"{len(times)} {what}: median {median(times):.0f} ms, 90 % {rank(times, 0.9):.0f}, longest {max(times):.0f}"
        for what, times in (("first looks", first), ("looks at a second that was seen before", again))
    ]
    figures = {"first_ms": first, "again_ms": again}
    return Outcome(
        f"{median(first):.0f} ms, again {median(again):.0f}", median(first) <= PREVIEW_MS, tuple(lines), figures
    )


def _look(service: Service, style: str, second: int) -> float:
    body = json.dumps(request(style, SECONDS) | {"seed": 1}).encode()
    connection = service.connect()
    started = time.perf_counter()
    headers = {"X-Api-Key": service.key, "Content-Type": "application/json"}
    connection.request("POST", f"/v1/preview?t={second}", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    took_ms = (time.perf_counter() - started) * 1000
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the preview was answered {answer.status}: {said[:500]!r}")
    return took_ms
