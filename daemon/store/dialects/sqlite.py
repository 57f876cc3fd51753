"""SQLite: one file, one writer, every commit synced to the disk."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from playhouse.pool import PooledSqliteDatabase

from daemon.errors import DatabaseBroken, DatabaseBusy, DatabaseCorrupt, DiskFull, StoreError
from daemon.store.dialects.transactions import connected, original
from daemon.targets import sqlite_path

_WAL_LIMIT_BYTES = 16 * 2**20
_MOST_CONNECTIONS = 64
_WAIT_FOR_CONNECTION_S = 5
_MIGRATION_WAIT_S = 60.0
_LOOK_EVERY_S = 0.05

_SMALLEST_BYTES = 512  # of a page, of which a database has one at least
_NO_TEXT = "Could not decode to UTF-8"  # Python's own, for text that is none

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BROKEN = {
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_NOTFOUND, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
}
# What SQLite says instead of FULL when the kernel refuses to let one of its files grow.
_FULL_IO = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}


class _Pool(PooledSqliteDatabase):  # type: ignore[misc]
    table_settings = None
    default_clause = "DEFAULT {}"
    drops_index_of_table = False


class Sqlite:
    """A file at a path, `sqlite:PATH` or `sqlite:///PATH`."""

    def __init__(self, target: Path | str, busy_s: float, migration_wait_s: float = _MIGRATION_WAIT_S) -> None:
        self.path = sqlite_path(target)
        self._migration_wait_s = migration_wait_s
        self._busy_ms = int(busy_s * 1000)
        pragmas = {
            "busy_timeout": self._busy_ms,  # first: the next ones may have to wait
            "journal_mode": "wal",
            "synchronous": "full",  # a commit is on the disk when it returns
            "foreign_keys": "on",
            "journal_size_limit": _WAL_LIMIT_BYTES,
        }
        self.pool: Any = _Pool(
            str(self.path),
            pragmas=pragmas,
            max_connections=_MOST_CONNECTIONS,
            timeout=_WAIT_FOR_CONNECTION_S,
            autoconnect=False,
            check_same_thread=False,
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._transaction("DEFERRED"):
            yield

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[None]:
        wait_ms = int(wait_s * 1000)
        shorter = wait_ms < self._busy_ms * 0.9  # somebody waited in our own line: the rest of the time is less
        if shorter:
            self.pool.execute_sql(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            with self._transaction("IMMEDIATE"):
                yield
        finally:
            if shorter and not self.pool.is_closed():
                self.pool.execute_sql(f"PRAGMA busy_timeout = {self._busy_ms}")

    @contextmanager
    def migrating(self) -> Iterator[None]:
        path = self.path.with_name(self.path.name + ".lock")
        try:
            lock = path.open("ab")
        except OSError as exc:
            raise DatabaseBroken(f"The database cannot be used: {path.parent}: {exc.strerror}.") from exc
        with lock:
            self._wait_for(lock)
            if self.path.exists() and 0 < self.path.stat().st_size < _SMALLEST_BYTES:
                raise self._damaged("it is cut off")  # SQLite would take it for a new one
            with connected(self.pool):
                yield

    def _wait_for(self, lock: IO[bytes]) -> None:
        until = time.monotonic() + self._migration_wait_s
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() >= until:
                    raise DatabaseBusy from exc
            time.sleep(_LOOK_EVERY_S)

    def check(self) -> None:
        found = self.pool.execute_sql("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise self._damaged(found)

    def meaning(self, failure: BaseException) -> StoreError | None:
        error = original(failure)
        if isinstance(error, UnicodeDecodeError) or str(error).startswith(_NO_TEXT):
            return DatabaseCorrupt()
        if isinstance(error, MemoryError):  # Python's own for SQLITE_NOMEM
            return DatabaseBusy()
        extended = getattr(error, "sqlite_errorcode", None)
        if extended is None:
            return None
        primary = extended & 0xFF
        if primary in _BUSY:
            return DatabaseBusy()
        if primary == sqlite3.SQLITE_FULL or extended in _FULL_IO:
            return DiskFull()
        # A file that was replaced under us by something else has no tables.
        if primary in _CORRUPT or (primary == sqlite3.SQLITE_ERROR and str(error).startswith("no such table")):
            return DatabaseCorrupt()
        return DatabaseBroken() if primary in _BROKEN else None

    def _damaged(self, found: str) -> DatabaseCorrupt:
        return DatabaseCorrupt(f"The database {self.path} is damaged ({found}); put a backup in its place.")

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        """Commit or roll back. SQLite itself has rolled back after some errors, a full disk for one; rolling back again
        would raise an error about that in the place of the first one."""
        raw = self.pool.connection()
        try:
            self.pool.execute_sql(f"BEGIN {kind}")
            yield
            self.pool.execute_sql("COMMIT")
        except BaseException as exc:
            if raw.in_transaction:
                self.pool.execute_sql("ROLLBACK")
            if isinstance(self.meaning(exc), DatabaseBroken):
                self.pool.manual_close()  # what a new connection finds may be whole
            raise
