"""Thousands of jobs in a SQLite file, put there faster than by submitting each, and how queries find their way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from daemon.store.database import Database

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
_VALUES = {
    "seq": "NULL",
    "id": "'job_' || status || n",
    "key_id": "'key' || (n % 3)",
    "kind": "'template'",
    "spec": "'{\"text\":\"' || hex(zeroblob(300)) || '\"}'",
    "client_data": "'null'",
    "status": "status",
    "stage": "''",
    "warnings": "'[]'",
    "base_url": "''",
    "result": "iif(status = 'done', '{\"render_s\":9}', NULL)",
    "finished_us": "iif(status IN ('done', 'failed', 'cancelled'), n, NULL)",
    "owner": "NULL",
    "error": "NULL",
    "callback": "NULL",
    "film": "NULL",
    "claimed_us": "NULL",
    "started_us": "NULL",
}


def fill(path: Path, **counts: int) -> None:
    """Add so many jobs of each status."""
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(job)")]
        row = ", ".join(_VALUES.get(name, "0") for name in columns)
        for status, count in counts.items():
            connection.execute(
                f"{_NUMBERS} INSERT INTO job SELECT {row} FROM (SELECT n, ? AS status FROM numbers)", (count, status)
            )
        connection.execute(
            f"{_NUMBERS} INSERT INTO event SELECT NULL, 'job_' || n, n, 'a', 'info', '', '{{}}' FROM numbers",
            (sum(counts.values()),),
        )


def fill_deliveries(path: Path, done: int, waiting: int) -> None:
    """Connect a page with so many deliveries that are done, and so many that wait for their time."""
    values = {
        "seq": "NULL",
        "id": "'dlv_' || state || n",
        "job_id": "'job_done' || n",
        "key_id": "'key' || (n % 3)",
        "target": "'facebook'",
        "account_id": "'acc_1'",
        "state": "state",
        "spec": "'{}'",
        "remote": "'{\"link\":\"' || hex(zeroblob(50)) || '\"}'",
        "owner": "NULL",
        "due_us": "iif(state = 'ready', 4000000000000000, n)",
        "next_us": "iif(state = 'ready', 4000000000000000, n)",
        "sent_us": "iif(state = 'done', n, NULL)",
        "error": "NULL",
        "warnings": "'[]'",
        "ended_us": "iif(state = 'done', n, NULL)",
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO account VALUES "
            "('acc_1', 'facebook', '1', 'A', 'ok', '', '', '{}', '[]', NULL, NULL, NULL, 0, 0)"
        )
        columns = [row[1] for row in connection.execute("PRAGMA table_info(delivery)")]
        row = ", ".join(values.get(name, "0") for name in columns)
        for state, count in (("done", done), ("ready", waiting)):
            connection.execute(
                f"{_NUMBERS} INSERT INTO delivery SELECT {row} FROM (SELECT n, ? AS state FROM numbers)", (count, state)
            )


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect what this thread's connection is told to do, values filled in."""
    seen: list[str] = []
    with database.read() as connection:
        raw = connection.connection()
    raw.set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        raw.set_trace_callback(None)


def plan(database: Database, statement: str) -> str:
    """How SQLite finds the rows of a statement."""
    with database.read() as connection:
        return "\n".join(row[3] for row in connection.execute_sql("EXPLAIN QUERY PLAN " + statement))
