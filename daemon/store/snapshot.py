"""Copies of a SQLite database that is in use, and what is to be known of one before it takes the place of another."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from playhouse.migrations import Runner

from daemon.deliveries.life import Setback, State
from daemon.errors import BackupRefused, StoreError
from daemon.store.database import MIGRATIONS, Database
from daemon.store.delivery_rows import RESTORED_CODE
from daemon.store.dialects import dialect_for
from daemon.store.dialects.transactions import connected
from daemon.store.tables import DeliveryRow

_WAIT_S = 30.0
_RESTORED = Setback(
    RESTORED_CODE,
    "It was to go out before a backup was restored, and may have: look there, then say so: ./vix deliveries resolve.",
    True,
)


def copy(source: Path, target: Path) -> None:
    """Write what is committed in `source` now to `target`, as one file; whoever writes to `source` goes on.

    Raises:
        StoreError: it cannot be read, or there is no room.
    """
    dialect = dialect_for(source, _WAIT_S)
    try:
        # By its path, as a missing file must not be made; with rights to write, as a reader of a WAL needs them.
        uri = f"{source.absolute().as_uri()}?mode=rw"
        with (
            closing(sqlite3.connect(uri, timeout=_WAIT_S, uri=True)) as original,
            closing(sqlite3.connect(target)) as made,
        ):
            original.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as exc:
        raise (dialect.meaning(exc) or StoreError(f"The database could not be copied: {exc}.")) from exc
    with target.open("rb") as written:
        os.fsync(written.fileno())


def check(path: Path) -> None:
    """Look through a whole database that nobody uses.

    Raises:
        BackupRefused: it is damaged, or none of Vix.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as exc:
        raise BackupRefused(f"The database in the backup is damaged ({exc}).") from exc
    if verdict != "ok":
        raise BackupRefused(f"The database in the backup is damaged ({verdict}).")


def unknown_migrations(path: Path) -> list[str]:
    """Name what a newer Vix has done to the tables of a database, and this one knows nothing of.

    Raises:
        BackupRefused: it has no tables of Vix.
    """
    dialect = dialect_for(path, _WAIT_S)
    with connected(dialect.pool):
        done = set(Runner(dialect.pool, str(MIGRATIONS)).applied())
    dialect.pool.close_all()
    if not done:
        raise BackupRefused("The database in the backup has no tables of Vix.")
    return sorted(done - {file.stem for file in MIGRATIONS.glob("[0-9]*.py")})


def doubt(database: Database, now: datetime) -> int:
    """Let nothing go out of a restored database that may have gone out after it was copied: somebody has to look.
    Returns how many deliveries that are."""
    due = DeliveryRow.due_at <= now
    made = (DeliveryRow.state << (State.READY, State.HELD), due)
    waiting = (DeliveryRow.state == State.WAITING, due)
    doubtful: dict[str, Any] = {"state": State.UNKNOWN, "owner": None, "error": _plain(_RESTORED)}
    with database.write() as connection:
        count: int = DeliveryRow.update(doubtful).where(*made).execute(connection)
        # Their films are made again; what comes then, `begin` decides.
        later: int = DeliveryRow.update(error=_plain(_RESTORED)).where(*waiting).execute(connection)
    return count + later


def _plain(setback: Setback) -> dict[str, Any]:
    return {"code": setback.code, "message": setback.message, "permanent": setback.permanent}
