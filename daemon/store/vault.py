"""The rows of the vault: what was encrypted elsewhere, by id. Sees no secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from daemon.store.database import Database
from daemon.store.tables import VaultRow, utc_now


class VaultStore:
    """Encrypted rows. Every method may raise what `Database.read` and `Database.write` raise."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def change(self, row_id: str, change: Callable[[str | None], str | None]) -> bool:
        """Write what `change` makes of a row, None where there is none; nothing where it makes None. It is called while
        nobody else writes, so that keys that are changed meanwhile are not missed."""
        with self._database.write() as connection:
            rows = list(VaultRow.select().where(VaultRow.id == row_id).execute(connection))
            sealed = change(rows[0].sealed if rows else None)
            if sealed is None:
                return False
            VaultRow.delete().where(VaultRow.id == row_id).execute(connection)
            VaultRow.insert(id=row_id, sealed=sealed, sealed_at=self._clock()).execute(connection)
        return True

    def get(self, row_id: str) -> str | None:
        """Read a row; None where there is none."""
        with self._database.read() as connection:
            rows = list(VaultRow.select().where(VaultRow.id == row_id).execute(connection))
        return rows[0].sealed if rows else None

    def drop(self, row_id: str) -> bool:
        """Remove a row; False where there was none."""
        with self._database.write() as connection:
            return bool(VaultRow.delete().where(VaultRow.id == row_id).execute(connection))

    def reseal(self, again: Callable[[Mapping[str, str]], Mapping[str, str]]) -> int:
        """Replace all rows at once by what `again` makes of them; returns how many there are. Where it raises, all
        stay."""
        with self._database.write() as connection:
            rows = {row.id: row.sealed for row in VaultRow.select().execute(connection)}
            for row_id, sealed in again(rows).items():
                changes = {"sealed": sealed, "sealed_at": self._clock()}
                VaultRow.update(changes).where(VaultRow.id == row_id).execute(connection)
        return len(rows)

    def forget(self, prefix: str, before: datetime) -> int:
        """Remove the rows whose ids begin so and that are older."""
        old = (VaultRow.id.startswith(prefix), VaultRow.sealed_at < before)
        with self._database.write() as connection:
            count: int = VaultRow.delete().where(*old).execute(connection)
        return count
