"""`GET /metrics`: the service in numbers, for Prometheus. Reads the tables when asked.

Prometheus text format, version 0.0.4. Numbers of jobs are gauges, since ended jobs are forgotten after their time.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import Response

from daemon.accounts.life import AccountState
from daemon.errors import VixError
from daemon.jobs import Status
from daemon.web.call import Call
from daemon.web.services import Services

RECENT = 50
_LIMITS = ("minute", "day", "waiting", "wrong_keys", "dry_run", "redeliver")


async def metrics(call: Call) -> Response:
    """Answer with every number; what cannot be read now is left out, and `vix_up` is then 0."""
    text = await call.blocking(_text, call.services)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"cache-control": "no-store"})


def _text(services: Services) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Collector(services))
    return generate_latest(registry)


class _Collector:
    """Turns what the store says into metrics, one read after the other."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        """Keep the registry from collecting once more just to learn the names."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Read everything."""
        up = 1.0
        for read in (_build, _jobs, _queue, _films, _callbacks, _deliveries, _accounts, _refusals, _workers, _disk):
            try:
                yield from read(self._services)
            except (VixError, OSError):
                up = 0.0
        yield _gauge("vix_up", "1 if every number could be read.", up)


def _build(services: Services) -> Iterable[Metric]:
    metric = GaugeMetricFamily("vix_build_info", "What runs here.", labels=["version", "commit"])
    metric.add_metric([services.version, services.commit], 1)
    yield metric


def _jobs(services: Services) -> Iterable[Metric]:
    counts = services.views.counts()
    yield _labelled("vix_jobs", "Jobs by status.", "status", {status: counts.get(status, 0) for status in Status})


def _queue(services: Services) -> Iterable[Metric]:
    oldest = services.views.oldest_waiting_at()
    age_s = (services.now() - oldest).total_seconds() if oldest else 0.0
    yield _gauge("vix_queue_age_seconds", "How long the job that waits longest has waited.", max(0.0, age_s))


def _films(services: Services) -> Iterable[Metric]:
    results = services.views.results(RECENT)
    renders = [value for result in results if (value := _number(result, "render_s"))]
    ratios = [length / value for result in results if (value := _number(result, "render_s"))
              and (length := _number(result, "duration_s"))]  # fmt: skip
    peaks = [value for result in results if (value := _number(result, "peak_rss_mb"))]
    about = f"of the last {RECENT} films"
    yield _gauge("vix_render_seconds", f"Seconds that making a film took: the median {about}.", _middle(renders))
    yield _gauge("vix_film_seconds_per_render_second", f"Speed of rendering: the median {about}.", _middle(ratios))
    peak = max(peaks, default=0.0) * 2**20
    yield _gauge("vix_ffmpeg_peak_bytes", f"Largest resident set of FFmpeg {about}.", peak)


def _callbacks(services: Services) -> Iterable[Metric]:
    yield _labelled("vix_callbacks", "Callbacks by state.", "state", services.callbacks.counts())


def _deliveries(services: Services) -> Iterable[Metric]:
    yield _labelled("vix_deliveries", "Deliveries by state.", "state", services.deliveries.counts())
    yield _gauge("vix_alerts_waiting", "Alerts that nobody was told yet.", services.alerts.waiting())


def _accounts(services: Services) -> Iterable[Metric]:
    accounts = services.accounts.list(removed=True)
    states = Counter(account.state for account in accounts)
    yield _labelled("vix_accounts", "Accounts by state.", "state", {state: states[state] for state in AccountState})
    left: dict[str, float] = {}
    for account in accounts:
        days = account.days_left(services.now())
        if account.state is not AccountState.REMOVED and days is not None:
            # Two pages may have one name, but a label stands for one number.
            left[account.name] = min(days, left.get(account.name, days))
    yield _labelled("vix_token_days_left", "Days until an account's token or its access ends.", "account", left)


def _refusals(services: Services) -> Iterable[Metric]:
    metric = CounterMetricFamily("vix_limit_hits", "Requests refused by a limit.", labels=["limit"])
    for limit in _LIMITS:
        metric.add_metric([limit], services.refusals[limit])
    yield metric


def _workers(services: Services) -> Iterable[Metric]:
    living = sum(worker.is_alive(services.now()) for worker in services.workers.all())
    yield _gauge("vix_workers", "Workers that live.", living)


def _disk(services: Services) -> Iterable[Metric]:
    yield _gauge("vix_disk_free_bytes", "Free space of the data folder.", shutil.disk_usage(services.data).free)


def _number(result: dict[str, Any], name: str) -> float | None:
    value = result.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _middle(values: list[float]) -> float:
    return median(values) if values else 0.0


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _labelled(name: str, about: str, label: str, values: Mapping[Any, float]) -> Metric:
    metric = GaugeMetricFamily(name, about, labels=[label])
    for value, count in values.items():
        metric.add_metric([str(value)], count)
    return metric
