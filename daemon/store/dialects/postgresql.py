"""PostgreSQL 11 and newer, by psycopg 3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playhouse.pool import PooledPostgresqlDatabase

from daemon.errors import DatabaseBroken, DatabaseBusy, DatabaseCorrupt, DiskFull, SettingsError, StoreError
from daemon.store.dialects.transactions import DropsLost, connected, original, transaction

_MOST_CONNECTIONS = 16
_WAIT_FOR_CONNECTION_S = 5
_MIGRATION_WAIT_S = 60
# One for each schema: two installations in one database do not wait for each other.
_LOCK = "hashtextextended('vix ' || coalesce(current_schema(), ''), 0)"
_SESSION = {
    "synchronous_commit": "on",  # a commit is on the disk when it returns
    "idle_in_transaction_session_timeout": "20s",  # who was stopped while it held the lock must not stop the others
    "statement_timeout": "30s",  # none takes so long but to change tables
    "client_min_messages": "warning",
}
# How soon a machine that has vanished is noticed from here, and from the server.
_NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms; no keepalives are sent while a query waits to be acknowledged
}
_SERVER_NETWORK = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

# By SQLSTATE (PostgreSQL's appendix A) or its first two characters. None: the connection was lost, or never there.
_MEANINGS: dict[str | None, type[StoreError]] = {
    None: DatabaseBusy,
    "08": DatabaseBusy,
    "40": DatabaseBusy,  # deadlock
    "53": DatabaseBusy,  # no connection or no memory left
    "53100": DiskFull,
    "55P03": DatabaseBusy,  # lock_timeout
    "57": DatabaseBusy,  # the server is shut down, or not up yet
    "25P03": DatabaseBusy,  # idle for too long
    "25006": DatabaseBroken,  # read-only
    "28": DatabaseBroken,  # wrong password
    "3D": DatabaseBroken,  # no such database
    "42501": DatabaseBroken,  # no right to
    "58": DatabaseBroken,  # the server's disk fails
    "XX": DatabaseBroken,  # a fault of the server's own
    "XX001": DatabaseCorrupt,
    "XX002": DatabaseCorrupt,
}


class _Pool(DropsLost, PooledPostgresqlDatabase):  # type: ignore[misc]
    table_settings = None
    default_clause = "DEFAULT {}"
    drops_index_of_table = False


class Postgresql:
    """The schema that a postgresql:// URL leads to: every parameter of libpq may be in it."""

    path = None

    def __init__(self, target: Path | str, busy_s: float) -> None:
        parameters = _parameters(str(target))
        self.pool: Any = _Pool(
            parameters.pop("dbname", "") or parameters.get("user") or "postgres",
            max_connections=_MOST_CONNECTIONS,
            timeout=_WAIT_FOR_CONNECTION_S,
            autoconnect=False,
            prefer_psycopg3=True,
            **parameters,
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        with transaction(self.pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[None]:
        # In one message, and every statement after it sees what the writer before has committed.
        wait = f"SET LOCAL lock_timeout = {_ms(wait_s)}"
        turn = f"SELECT pg_advisory_xact_lock({_LOCK})"
        with transaction(self.pool, f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {wait}; {turn}"):
            yield

    @contextmanager
    def migrating(self) -> Iterator[None]:
        with connected(self.pool):
            try:
                self.pool.execute_sql(f"SET lock_timeout = {_ms(_MIGRATION_WAIT_S)}; SET statement_timeout = 0")
                self.pool.execute_sql(f"SELECT pg_advisory_lock({_LOCK})")
                yield
            finally:
                self.pool.manual_close()  # and with it the lock

    def check(self) -> None:
        """Nothing: the server checks its own."""

    def meaning(self, failure: BaseException) -> StoreError | None:
        error = original(failure)
        if not type(error).__module__.startswith("psycopg"):
            return None
        state = getattr(error, "sqlstate", None)
        if state is None and type(error).__name__ not in _LOST:
            return None
        kind = _MEANINGS.get(state) or _MEANINGS.get(state and state[:2])
        return kind() if kind else None


# Errors of psycopg's own, without a SQLSTATE, about a connection; the others are about how it is used.
_LOST = ("OperationalError", "ConnectionTimeout", "InterfaceError")


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))  # 0 would be for ever


def _parameters(url: str) -> dict[str, Any]:
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as exc:
        raise SettingsError(
            "A database on PostgreSQL needs packages that are not installed: ./vix add cluster"
        ) from exc
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:  # its message shows the URL
        raise SettingsError("The postgresql:// URL of the database is not one that libpq can read.") from None
    session = " ".join(f"-c {name}={value}" for name, value in {**_SESSION, **_SERVER_NETWORK}.items())
    options = f"{session} {given.pop('options', '')}".strip()
    return {**_NETWORK, "application_name": "vix", **given, "options": options, "prepare_threshold": None}
