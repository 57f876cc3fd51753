"""The one factory of database connections, and the one place where SQLite's errors become ours."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded, PooledSqliteDatabase

from daemon.errors import DatabaseBroken, DatabaseBusy, DiskFull, StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5.0
_WAL_LIMIT_BYTES = 16 * 2**20
_MOST_CONNECTIONS = 64
_WAIT_FOR_CONNECTION_S = 5

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BROKEN = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}
# What SQLite says instead of FULL when the kernel refuses to let one of its files grow.
_FULL_IO = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}


class Database:
    """A SQLite file. Each thread that uses it gets a connection of its own while it does."""

    def __init__(self, path: Path, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        self._pid = os.getpid()
        self._busy_s = busy_s
        self._writer = threading.Lock()
        pragmas = {
            "busy_timeout": int(busy_s * 1000),  # first: the next ones may have to wait
            "journal_mode": "wal",
            "synchronous": "full",  # a commit is on the disk when it returns
            "foreign_keys": "on",
            "journal_size_limit": _WAL_LIMIT_BYTES,
        }
        self._pool: Any = PooledSqliteDatabase(
            str(path),
            pragmas=pragmas,
            max_connections=_MOST_CONNECTIONS,
            timeout=_WAIT_FOR_CONNECTION_S,
            check_same_thread=False,
        )

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Give a connection whose queries all see the same moment.

        Raises:
            StoreError: as `write`, but DiskFull.
        """
        with self._connection() as connection, _transaction(connection, "DEFERRED"):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Any]:
        """Give a connection that nobody else can write beside. Everything is on the disk when the block ends.

        Raises:
            DatabaseBusy, DatabaseBroken, DiskFull: nothing of the block was written.
        """
        # Threads of one process queue up here: in SQLite's own waiting, whoever is unlucky starves.
        if not self._writer.acquire(timeout=self._busy_s):
            raise DatabaseBusy
        try:
            with self._connection() as connection, _transaction(connection, "IMMEDIATE"):
                yield connection
        finally:
            self._writer.release()

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        self._pool.close_all()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if os.getpid() != self._pid:
            raise RuntimeError("a database connection does not survive a fork: open the database in the child")
        with _translated(), self._pool.connection_context():
            yield self._pool


@contextmanager
def _transaction(connection: Any, kind: str) -> Iterator[None]:
    """Commit at the end of the block, or roll back. SQLite itself has rolled back after some errors, a full disk for
    one; peewee's own transactions then raise an error about that in the place of the first one."""
    raw = connection.connection()
    connection.execute_sql(f"BEGIN {kind}")
    try:
        yield
        connection.execute_sql("COMMIT")
    except BaseException:
        if raw.in_transaction:
            connection.execute_sql("ROLLBACK")
        raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except MaxConnectionsExceeded as exc:
        raise DatabaseBusy from exc
    except (peewee.DatabaseError, sqlite3.DatabaseError) as exc:
        if (ours := _ours(exc)) is None:
            raise
        raise ours from exc


def _ours(exc: BaseException) -> StoreError | None:
    """Find the error that a failure of SQLite means to a caller; None where it is a mistake of this package."""
    original = exc if isinstance(exc, sqlite3.Error) else exc.__context__
    extended = getattr(original, "sqlite_errorcode", None)
    if extended is None:
        return None
    primary = extended & 0xFF
    if primary in _BUSY:
        return DatabaseBusy()
    if primary == sqlite3.SQLITE_FULL or extended in _FULL_IO:
        return DiskFull()
    return DatabaseBroken() if primary in _BROKEN else None


def open_database(path: Path, *, busy_s: float = BUSY_S) -> Database:
    """Open a database file, making it or bringing it up to date where needed.

    `busy_s` is how long a writer waits for another.

    Raises:
        DatabaseBusy, DatabaseBroken, DiskFull: it cannot be used as it is.
    """
    database = Database(path, busy_s=busy_s)
    try:
        with _turn(path.with_name(path.name + ".lock")), database._connection() as connection:
            Runner(connection, str(MIGRATIONS)).up()
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Let one process after the other through: two that start together must not both run a migration."""
    try:
        lock = path.open("ab")
    except OSError as exc:
        raise DatabaseBroken(f"The database cannot be used: {path.parent}: {exc.strerror}.") from exc
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
