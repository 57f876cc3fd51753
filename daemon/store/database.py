"""The one factory of database connections: reading, writing and migrating, the same on every kind of database."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded

from daemon import failpoints
from daemon.errors import DatabaseBusy, StoreError
from daemon.store.dialects import Dialect, dialect_for
from daemon.store.dialects.transactions import connected, original

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5.0


class Database:
    """A SQLite file, or a schema of PostgreSQL or MySQL. Each thread that uses it gets a connection of its own while it
    does; one that is lost is thrown away, and the next use makes a new one."""

    def __init__(self, dialect: Dialect, *, busy_s: float = BUSY_S) -> None:
        self._pid = os.getpid()
        self._busy_s = busy_s
        self._writer = threading.Lock()
        self._dialect = dialect
        self._pool = dialect.pool

    @property
    def path(self) -> Path:
        """The file.

        Raises:
            ValueError: the database is a server's.
        """
        if self._dialect.path is None:
            raise ValueError("this database is not a file")
        return self._dialect.path

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Give a connection whose queries all see the same moment.

        Raises:
            StoreError: as `write`, but DiskFull.
        """
        with self._connection(), self._dialect.reading():
            yield self._pool

    @contextmanager
    def write(self) -> Iterator[Any]:
        """Give a connection that nobody else can write beside, on any machine: what is read with it stays so until the
        block ends, and then everything is on the disk.

        Raises:
            DatabaseBusy, DatabaseBroken, DiskFull: nothing of the block was written. Where the connection to a server
                is lost in the middle of the commit, nobody can tell.
        """
        # Threads of one process queue up here: in SQLite's own waiting, whoever is unlucky starves, and at a server
        # each would hold a connection.
        until = time.monotonic() + self._busy_s
        if not self._writer.acquire(timeout=self._busy_s):
            raise DatabaseBusy
        try:
            with self._connection(), self._dialect.writing(max(0.0, until - time.monotonic())):
                yield self._pool
        finally:
            self._writer.release()

    def check(self) -> None:
        """Look through the whole file for damage; a server looks after its own.

        Raises:
            DatabaseCorrupt: starting again is no use.
            StoreError: as `read`.
        """
        with self.read():
            self._dialect.check()

    def migrate(self) -> None:
        """Bring the tables up to date, one process after the other.

        Raises:
            StoreError: the database cannot be used as it is; the message says why.
        """
        try:
            with self._translated(), self._dialect.migrating():
                done = Runner(self._pool, str(MIGRATIONS)).up()
        except StoreError as exc:
            raise _with_reason(exc) from exc
        if done:
            failpoints.reach("migration_done")

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        self._pool.close_all()

    @contextmanager
    def _connection(self) -> Iterator[None]:
        if os.getpid() != self._pid:
            raise RuntimeError("a database connection does not survive a fork: open the database in the child")
        with self._translated(), connected(self._pool):
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except MaxConnectionsExceeded as exc:
            raise DatabaseBusy from exc
        except Exception as exc:
            if (ours := self._dialect.meaning(exc)) is None:
                raise
            raise ours from exc


def _with_reason(exc: StoreError) -> StoreError:
    """Say what the driver says, which is for the operator at the start and for nobody else."""
    if exc.__cause__ is None or not (reason := str(original(exc.__cause__)).strip()):
        return exc
    return type(exc)(f"{exc} ({reason.splitlines()[0]})")


def open_database(target: Path | str, *, busy_s: float = BUSY_S) -> Database:
    """Open the database at a path or URL (`sqlite:PATH`, `postgresql://...`, `mysql://...`), making its tables or
    bringing them up to date where needed.

    `busy_s` is how long a writer waits for another.

    Raises:
        SettingsError: it is no such URL, or its driver is not installed.
        DatabaseBusy, DatabaseBroken, DiskFull: it cannot be used as it is.
    """
    database = Database(dialect_for(target, busy_s), busy_s=busy_s)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database
