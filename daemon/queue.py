"""The doorbell: Huey carries job ids to the worker so that it need not be asked all the time. Nothing depends on it.

Huey takes a message off its queue before it runs it, so a killed worker loses it. Here that costs a second at most: the
jobs table is the truth, and the worker looks there by itself.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huey.api import Huey, PostgresHuey, RedisHuey
from huey.exceptions import ConfigurationError
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from daemon.errors import SettingsError

NAME = "vix"
_FIRST_POLL_S, _SLOWEST_POLL_S = 0.05, 0.15
_JOIN_S = 2.0
_RUINED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_log = logging.getLogger(__name__)


class Doorbell:
    """A Huey queue at `target`: a file, or a URL that starts with sqlite:///, redis://, rediss:// or postgresql://.

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

    def close(self) -> None:
        """Let go of the queue; ringing opens it again."""
        self._huey.storage.close()

    def _rung(self, job_id: str) -> None:
        self._on_ring(job_id)


def _ignore(job_id: str) -> None:
    """Hear a ring while nobody listens."""


def _open(target: Path | str) -> Any:
    url = str(target)
    scheme, separator, rest = url.partition("://")
    options: dict[str, Any] = {"results": False, "serializer": _JobIds()}
    try:
        if not separator or scheme == "sqlite":
            file = rest.removeprefix("/") if separator else url
            return Huey(
                NAME, storage_class=_File, filename=file, create_tables=False, fsync=False, timeout=0.5, **options
            )
        if scheme in ("redis", "rediss"):
            return RedisHuey(NAME, url=url, **options)
        if scheme in ("postgres", "postgresql"):
            return PostgresHuey(NAME, dsn=url, **options)
    except ConfigurationError as exc:
        raise SettingsError(f"The queue cannot be at a {scheme}:// URL here: {exc}") from exc
    raise SettingsError(f"A queue cannot be at a {scheme}:// URL; use sqlite:///, redis:// or postgresql://.")


class _JobIds(Serializer):  # type: ignore[misc]
    """Messages as JSON that holds a job id: unlike a pickle, nothing that runs when it is read."""

    def _serialize(self, message: Any) -> bytes:
        return json.dumps({"id": message.id, "task": message.name, "job": message.args[0]}).encode()

    def _deserialize(self, data: Any) -> Any:
        told = json.loads(bytes(data))
        return Message(id=told["id"], name=told["task"], args=(str(told["job"]),), kwargs={})


class _File(SqliteStorage):  # type: ignore[misc]
    """A queue file that may be deleted, replaced or ruined at any time: it is then made again, empty."""

    _conn: Any = None
    _inode = 0

    @property
    def conn(self) -> Any:
        if self._conn is not None and _inode(self.filename) != self._inode:
            self._conn.close()
            self._conn = None
        return super().conn

    @contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[Any]:
        try:
            with super().db(commit, close) as cursor:
                yield cursor
        except sqlite3.DatabaseError as exc:
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _RUINED:
                self._discard()
            raise

    def _create_connection(self) -> Any:
        self._inode = _inode(self.filename)
        connection = super()._create_connection()
        for statement in self.ddl:
            connection.execute(statement)
        self._inode = _inode(self.filename)
        return connection

    def _discard(self) -> None:
        self.close()
        if _inode(self.filename) != self._inode:
            return  # somebody else was faster: what is there now is new
        for suffix in ("", "-wal", "-shm"):
            Path(self.filename + suffix).unlink(missing_ok=True)
        _log.warning("The queue file was ruined and is made again.", extra={"action": "queue_discarded"})


def _inode(path: str) -> int:
    """Which file is at the path; 0 where there is none, or nothing in it."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0
    return found.st_ino if found.st_size else 0
