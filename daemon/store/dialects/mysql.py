"""MySQL 8.0.13 and MariaDB 10.3 and newer, by PyMySQL, with InnoDB."""

from __future__ import annotations

import errno
import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from peewee import MySQLDatabase
from playhouse.pool import PooledMySQLDatabase

from daemon.errors import DatabaseBroken, DatabaseBusy, DatabaseCorrupt, DiskFull, SettingsError, StoreError
from daemon.store.dialects.transactions import DropsLost, connected, original, transaction

_MOST_CONNECTIONS = 16
_WAIT_FOR_CONNECTION_S = 5
_MIGRATION_WAIT_S = 60
_SESSION = (
    # Who was stopped while it held the lock must not stop the others.
    "SET SESSION wait_timeout = 20",
    # Somebody else's programs may hold rows or the table; ours wait in line for GET_LOCK.
    "SET SESSION innodb_lock_wait_timeout = 10",
    "SET SESSION lock_wait_timeout = 10",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
)
_NETWORK: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 10}
_MIGRATION_READ_S = 600  # what changes a table answers when it is done
_LOCK_SLICE_S = 10.0  # less than the time-out of reading
_PARAMETERS = ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key")

# By number (MySQL's error reference); 2000 and more are the client's own, 0 is PyMySQL's for a connection that is gone.
_MEANINGS: dict[int, type[StoreError]] = {
    **dict.fromkeys((0, 2002, 2003, 2006, 2013, 2014, 2055, 1053, 1077, 1079, 1152, 1927, 4031), DatabaseBusy),
    **dict.fromkeys((1040, 1129, 1203, 1205, 1206, 1213, 1226), DatabaseBusy),  # connections, locks
    **dict.fromkeys((1317, 1969, 3024), DatabaseBusy),  # time
    **dict.fromkeys((1037, 1038, 1041, 1135, 1158, 1159, 1160, 1161), DatabaseBusy),  # memory, threads, network
    **dict.fromkeys((1004, 1006, 1015, 1016, 1017, 1023, 1024, 1026, 1180), DatabaseBroken),  # the server's files
    **dict.fromkeys((1021, 1114), DiskFull),
    **dict.fromkeys((1044, 1045, 1049, 1142, 1143, 1227, 1290, 1698, 1836), DatabaseBroken),  # rights, read-only
    **dict.fromkeys((126, 127, 1034, 1035, 1194, 1195, 1712, 1932), DatabaseCorrupt),
}
_STORAGE_ENGINE = 1030  # its message carries the errno


class _Server(MySQLDatabase):
    def _connect(self) -> Any:
        connection = super()._connect()  # type: ignore[misc]
        with connection.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
        return connection


class _Pool(DropsLost, PooledMySQLDatabase, _Server):  # type: ignore[misc]
    field_types = {**MySQLDatabase.field_types, "TEXT": "LONGTEXT"}  # noqa: RUF012
    table_settings = "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    default_clause = "DEFAULT ({})"  # a text may have no other
    drops_index_of_table = True


class Mysql:
    """The database that mysql://USER:PASSWORD@HOST:PORT/NAME leads to."""

    path = None

    def __init__(self, target: Path | str, busy_s: float) -> None:
        parameters = _parameters(str(target))
        name = parameters.pop("database")
        # A lock of the whole server: it must differ from one database to the next, and be short.
        self._lock = "vix." + hashlib.sha256(name.encode()).hexdigest()[:32]
        self.pool: Any = _Pool(
            name,
            max_connections=_MOST_CONNECTIONS,
            timeout=_WAIT_FOR_CONNECTION_S,
            autoconnect=False,
            **_NETWORK,
            **parameters,
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        with transaction(self.pool, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"):
            yield

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[None]:
        # Lock first, so that the transaction's snapshot is what the writer before has committed.
        with self._locked(wait_s), transaction(self.pool, "START TRANSACTION READ WRITE"):
            yield

    @contextmanager
    def migrating(self) -> Iterator[None]:
        usual = self.pool.connect_params["read_timeout"]
        self.pool.connect_params["read_timeout"] = _MIGRATION_READ_S  # nobody else has this pool yet
        try:
            with connected(self.pool):
                try:
                    with self._locked(_MIGRATION_WAIT_S):
                        yield
                finally:
                    self.pool.manual_close()
        finally:
            self.pool.connect_params["read_timeout"] = usual

    def check(self) -> None:
        """Nothing: the server checks its own."""

    def meaning(self, failure: BaseException) -> StoreError | None:
        error = original(failure)
        if not type(error).__module__.startswith("pymysql") or not error.args:
            return None
        if not isinstance(error.args[0], int):  # PyMySQL's own words: answers that are out of order, or cut off
            return DatabaseBusy() if type(error).__name__ in ("InternalError", "OperationalError") else None
        number, text = error.args[0], str(error.args[-1])
        if number == _STORAGE_ENGINE:
            full = re.search(rf"\b{errno.ENOSPC}\b", text)
            return DiskFull() if full else DatabaseBroken()
        kind = _MEANINGS.get(number)
        return kind() if kind else None

    def _got_lock(self, wait_s: float) -> bool:
        answer = self.pool.execute_sql("SELECT GET_LOCK(%s, %s)", (self._lock, wait_s)).fetchone()[0]
        return bool(answer == 1)  # None: an error

    @contextmanager
    def _locked(self, wait_s: float) -> Iterator[None]:
        until = time.monotonic() + wait_s
        while not self._got_lock(min(wait_s, _LOCK_SLICE_S)):
            wait_s = until - time.monotonic()
            if wait_s <= 0:
                raise DatabaseBusy
        try:
            yield
        finally:
            try:
                self.pool.execute_sql("SELECT RELEASE_LOCK(%s)", (self._lock,)).fetchone()
            except Exception:
                self.pool.manual_close()  # what is committed stays so; the lock goes with the connection


def _parameters(url: str) -> dict[str, Any]:
    try:
        from pymysql.constants import CLIENT
    except ImportError as exc:
        raise SettingsError("A database on MySQL needs packages that are not installed: ./vix add cluster") from exc
    try:
        parts = urlsplit(url)
        name, port = unquote(parts.path.lstrip("/")), parts.port
        query: dict[str, Any] = dict(parse_qsl(parts.query))
    except ValueError:
        raise SettingsError("The mysql:// URL of the database cannot be read.") from None
    if not name or set(query) - set(_PARAMETERS):
        raise SettingsError(
            "The URL of the database is mysql://USER:PASSWORD@HOST:PORT/NAME, and may end in "
            + ", ".join(f"?{word}=..." for word in _PARAMETERS)
        )
    if "ssl_ca" in query:
        query |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
    return {
        "database": name,
        "host": parts.hostname or "localhost",
        "port": port or 3306,
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or ""),
        "collation": "utf8mb4_bin",
        "client_flag": CLIENT.FOUND_ROWS,  # an update that changes nothing has found its row all the same
        **query,
    }
