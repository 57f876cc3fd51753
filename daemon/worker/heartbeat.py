"""Tells again and again that this worker lives and what it does, as a row of the workers table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from daemon.errors import StoreError
from daemon.store.workers import WorkerStore
from daemon.worker.ticker import Ticker

EVERY_S = 5.0
_log = logging.getLogger(__name__)


class Heartbeat:
    """While entered, joins the table of workers and beats there every few seconds. It never raises: a full disk or a
    busy database must not end the worker, whose silence shows."""

    def __init__(self, store: WorkerStore, worker_id: str, about: Mapping[str, Any], every_s: float = EVERY_S) -> None:
        self._store = store
        self._id = worker_id
        self._about = dict(about)
        self._job_id: str | None = None
        self._joined = False
        self._ticker = Ticker("heartbeat", every_s, self._beat)

    def __enter__(self) -> Heartbeat:
        self._beat()
        self._ticker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.__exit__(kind, exc, trace)
        try:
            self._store.leave(self._id)
        except StoreError as problem:
            _log.warning("The worker's row stays behind.", extra={"action": "heartbeat", "reason": problem})

    def tell(self, job_id: str | None) -> None:
        """Say which job is being made now."""
        self._job_id = job_id
        self._beat()

    def _beat(self) -> None:
        try:
            if not self._joined:
                self._store.join(self._id, self._about)
                self._joined = True
            self._store.beat(self._id, self._job_id)
        except StoreError as exc:
            _log.warning("The heartbeat could not be written.", extra={"action": "heartbeat", "reason": exc})
