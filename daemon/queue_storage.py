"""Where Huey keeps its messages: nothing has to be there when a process starts, and nothing has to stay."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huey.storage import PostgresStorage, RedisStorage, SqliteStorage

_RUINED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DOWN_S = 0.25
_REDIS = {"socket_connect_timeout": 1, "socket_timeout": 3}  # longer than the second that a listener blocks for
_POSTGRES = {"connect_timeout": 2, "tcp_user_timeout": 5000, "application_name": "vix queue"}
_log = logging.getLogger(__name__)


class _Steady:
    """Listening that outlives an outage, with one line in the log about its beginning and one about its end."""

    _is_down = False

    def dequeue(self) -> Any:
        try:
            found = super().dequeue()  # type: ignore[misc]
        except Exception as exc:
            if not self._is_down:
                _log.warning("The queue does not answer.", extra={"action": "queue_down", "reason": type(exc).__name__})
            self._is_down = True
            time.sleep(_DOWN_S)
            return None
        if self._is_down:
            self._is_down = False
            _log.info("The queue answers again.", extra={"action": "queue_up"})
        return found


class FileStorage(_Steady, SqliteStorage):  # type: ignore[misc]
    """A queue file that may be deleted, replaced or ruined at any time: it is then made again, empty."""

    _conn: Any = None
    _inode = 0

    def __init__(self, name: str, filename: str) -> None:
        super().__init__(name, filename=filename, create_tables=False, fsync=False, timeout=0.5)

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


class RedisQueue(_Steady, RedisStorage):  # type: ignore[misc]
    """A list of a Redis server. A server that is down costs who rings a moment, not the client's usual seconds."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name, connection_pool=_redis_pool(url))

    def close(self) -> None:
        self.pool.disconnect()


def _redis_pool(url: str) -> Any:
    try:
        from redis import ConnectionPool
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        return None  # then Huey says that it is missing
    return ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 1), **_REDIS)


class PostgresQueue(_Steady, PostgresStorage):  # type: ignore[misc]
    """Tables of a PostgreSQL server, made when they are first needed and after they were dropped."""

    _conn: Any

    def __init__(self, name: str, url: str) -> None:
        self._listeners: list[Any] = []  # of each thread its own, which Huey leaves open
        super().__init__(name, dsn=_libpq_url(url), create_tables=False, **_POSTGRES)

    @contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[Any]:
        try:
            with super().db(commit, close) as cursor:
                yield cursor
        except Exception:
            lost, self._conn = self._conn, None
            if lost is not None:
                self._close_quiet(lost)
            raise

    def close(self) -> None:
        super().close()
        while self._listeners:
            self._close_quiet(self._listeners.pop())

    def _listen_conn(self) -> Any:
        connection = super()._listen_conn()
        if connection not in self._listeners:
            self._listeners.append(connection)
        return connection

    def _create_connection(self) -> Any:
        connection = self._connect()
        with connection.transaction():
            # Two processes that both find no table must not both make it.
            connection.execute("select pg_advisory_xact_lock(hashtextextended('vix queue', 0))")
            for statement in self.ddl:
                connection.execute(statement)
        return connection


def _libpq_url(url: str) -> str:
    """The URL, once it can be read: what libpq says where it cannot would show it."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        return url  # then Huey says that it is missing
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError from None
    return url


def _inode(path: str) -> int:
    """Which file is at the path; 0 where there is none, or nothing in it."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0
    return found.st_ino if found.st_size else 0
