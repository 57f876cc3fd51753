"""The keys table: who may call. Of a secret only an HMAC is kept; the secret itself is shown once, by `create`."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import os
import re
import secrets
import string
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.errors import BadKey, BadName, SettingsError
from daemon.store.database import Database
from daemon.store.tables import KeyRow, utc_now

_PREFIX = "catv"
_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 8
_SECRET_LENGTH = 43  # 256 bits
_PRESENTED = re.compile(rf"{_PREFIX}_([A-Za-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9]{{{_SECRET_LENGTH}}})", re.ASCII)
_LONGEST_NAME = 100
_PEPPER_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are aware and in UTC; a revoked key opens nothing."""

    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class KeyStore:
    """The keys table. `pepper` is the secret of this installation that the stored digests depend on.

    Every method may raise what `Database.read` and `Database.write` raise.
    """

    def __init__(self, database: Database, pepper: bytes, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock

    def create(self, name: str) -> tuple[Key, str]:
        """Make a key; the second value is what a caller presents, and nobody can read it again.

        Raises:
            BadName: the name is empty, too long, or not printable.
        """
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise BadName
        key = Key(_random(_ID_LENGTH), name, self._clock(), None)
        secret = _random(_SECRET_LENGTH)
        with self._database.write() as connection:
            KeyRow.insert(id=key.id, name=key.name, digest=self._digest(secret), created_at=key.created_at).execute(
                connection
            )
        return key, f"{_PREFIX}_{key.id}_{secret}"

    def list(self) -> builtins.list[Key]:
        """Read all keys, the oldest first."""
        with self._database.read() as connection:
            return [_key(row) for row in KeyRow.select().order_by(KeyRow.created_at, KeyRow.id).execute(connection)]

    def revoke(self, key_id: str) -> bool:
        """Let a key open nothing from now on; False where there is no such key or it was revoked before."""
        query = KeyRow.update(revoked_at=self._clock()).where(KeyRow.id == key_id, KeyRow.revoked_at.is_null())
        with self._database.write() as connection:
            changed: int = query.execute(connection)
        return changed == 1

    def verify(self, presented: str) -> Key:
        """Find the key that a caller presents, in the same time whether it is known or not.

        Raises:
            BadKey: it is no key, not known, wrong or revoked; nobody may tell which.
        """
        match = _PRESENTED.fullmatch(presented)
        key_id, secret = match.groups() if match else ("", "")
        with self._database.read() as connection:
            rows = list(KeyRow.select().where(KeyRow.id == key_id).execute(connection))
        known = rows[0].digest if rows else self._digest("")
        same = hmac.compare_digest(known, self._digest(secret))
        if not same or not rows or rows[0].revoked_at is not None:
            raise BadKey
        return _key(rows[0])

    def _digest(self, secret: str) -> str:
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).hexdigest()


def load_pepper(path: Path) -> bytes:
    """Read the secret of this installation, making it (mode 0600) where there is none yet.

    Raises:
        SettingsError: it cannot be read or made, or is not one.
    """
    try:
        if not path.exists():
            _make_pepper(path)
        pepper = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as exc:
        raise SettingsError(f"The secret in {path} cannot be used: {exc}.") from exc
    if len(pepper) != _PEPPER_BYTES:
        raise SettingsError(f"The secret in {path} is not {_PEPPER_BYTES} bytes in hexadecimal.")
    return pepper


def _make_pepper(path: Path) -> None:
    """Write a new one, whole or not at all; where another process was faster, its one stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    draft = Path(name)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_PEPPER_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _key(row: Any) -> Key:
    return Key(row.id, row.name, row.created_at, row.revoked_at)
