"""The kinds of database, one file each: how it is reached, locked and migrated, and what its errors mean."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from daemon.errors import SettingsError, StoreError
from daemon.targets import scheme

_MODULES = {
    "sqlite": ("daemon.store.dialects.sqlite", "Sqlite"),
    "postgres": ("daemon.store.dialects.postgresql", "Postgresql"),
    "postgresql": ("daemon.store.dialects.postgresql", "Postgresql"),
    "mysql": ("daemon.store.dialects.mysql", "Mysql"),
    "mariadb": ("daemon.store.dialects.mysql", "Mysql"),
}


class Dialect(Protocol):
    """One kind of database. `reading` and `writing` use the connection of `pool` that their thread has opened."""

    pool: Any
    path: Path | None

    def reading(self) -> AbstractContextManager[None]:
        """A transaction whose queries all see the same moment."""

    def writing(self, wait_s: float) -> AbstractContextManager[None]:
        """A transaction that no other writer runs beside, on any machine; waits for its turn for `wait_s`."""

    def migrating(self) -> AbstractContextManager[None]:
        """A connection, for one process after the other: two that start together must not both change the tables."""

    def check(self) -> None:
        """Raise DatabaseCorrupt where damage is found."""

    def meaning(self, failure: BaseException) -> StoreError | None:
        """The error that a failure of the driver means to a caller; None where it is a mistake of this package."""


def dialect_for(target: Path | str, busy_s: float) -> Dialect:
    """Choose by the URL; a path is a SQLite file. `busy_s` is how long a statement may wait for somebody else's lock.

    Raises:
        SettingsError: there is no such kind, or its driver is not installed.
    """
    name = scheme(target)
    if name not in _MODULES:
        raise SettingsError("A database is a file, or at a sqlite:, postgresql:// or mysql:// URL.")
    module, kind = _MODULES[name]
    dialect: Dialect = getattr(import_module(module), kind)(target, busy_s)
    return dialect
