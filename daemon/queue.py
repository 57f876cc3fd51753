"""The doorbell: Huey carries job ids to the worker so that it need not be asked all the time. Nothing depends on it.

Huey takes a message off its queue before it runs it, so a killed worker loses it. Here that costs a second at most: the
jobs table is the truth, and the worker looks there by itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huey.api import Huey
from huey.exceptions import ConfigurationError
from huey.registry import Message
from huey.serializer import Serializer

from daemon.errors import SettingsError
from daemon.queue_storage import FileStorage, PostgresQueue, RedisQueue
from daemon.targets import scheme, sqlite_path

NAME = "vix"
_FIRST_POLL_S, _SLOWEST_POLL_S = 0.05, 0.15
_JOIN_S = 2.0
_log = logging.getLogger(__name__)


class Doorbell:
    """A Huey queue at `target`: a file, or a URL that starts with sqlite:, redis://, rediss:// or postgresql://.

    Raises:
        SettingsError: the URL is of another kind, or its extra is not installed.
    """

    def __init__(self, target: Path | str) -> None:
        self._huey = _open(target)
        self._on_ring: Callable[[str], None] = _ignore
        self._task = self._huey.task(name="ring")(self._rung)

    def ring(self, job_id: str) -> None:
        """Tell the worker that a job waits. Never raises: a ring that is lost is found out by looking."""
        for last in (False, True):
            try:
                self._task(job_id)
                return
            except Exception as exc:
                if last:  # the first time the file may just have been deleted; then it is opened again
                    _log.warning(
                        "The doorbell could not be rung.",
                        extra={"action": "ring_lost", "job": job_id, "reason": str(exc)},
                    )

    @contextmanager
    def listen(self, on_ring: Callable[[str], None]) -> Iterator[None]:
        """Call `on_ring` with each job id that is rung, on a thread of its own, until the block ends."""
        self._on_ring = on_ring
        consumer = self._huey.create_consumer(
            workers=1,
            periodic=False,
            initial_delay=_FIRST_POLL_S,
            max_delay=_SLOWEST_POLL_S,
            check_worker_health=False,
        )
        # Its workers alone: Consumer.start() would also take our signal handlers and run a scheduler for nothing.
        threads = [thread for _, thread in consumer.worker_threads]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            consumer.stop_flag.set()
            for thread in threads:
                thread.join(_JOIN_S)
            self._on_ring = _ignore
            self.close()

    def close(self) -> None:
        """Let go of the queue; ringing opens it again."""
        self._huey.storage.close()

    def _rung(self, job_id: str) -> None:
        self._on_ring(job_id)


def _ignore(job_id: str) -> None:
    """Hear a ring while nobody listens."""


def _open(target: Path | str) -> Any:
    name = scheme(target)
    options: dict[str, Any] = {"results": False, "serializer": _JobIds()}
    try:
        if name == "sqlite":
            return Huey(NAME, storage_class=FileStorage, filename=str(sqlite_path(target)), **options)
        if name in ("redis", "rediss"):
            return Huey(NAME, storage_class=RedisQueue, url=str(target), **options)
        if name in ("postgres", "postgresql"):
            return Huey(NAME, storage_class=PostgresQueue, url=str(target), **options)
    except ConfigurationError as exc:
        raise SettingsError(
            f"A queue at a {name}:// URL needs packages that are not installed: ./vix add cluster"
        ) from exc
    except ValueError as exc:  # its message shows the URL
        raise SettingsError(f"The {name}:// URL of the queue cannot be read.") from exc
    raise SettingsError("A queue is a file, or at a sqlite:, redis:// or postgresql:// URL.")


class _JobIds(Serializer):  # type: ignore[misc]
    """Messages as JSON that holds a job id: unlike a pickle, nothing that runs when it is read."""

    def _serialize(self, message: Any) -> bytes:
        return json.dumps({"id": message.id, "task": message.name, "job": message.args[0]}).encode()

    def _deserialize(self, data: Any) -> Any:
        told = json.loads(bytes(data))
        return Message(id=told["id"], name=told["task"], args=(str(told["job"]),), kwargs={})
