"""Secrets at rest: encrypted with keys that are not in the database. Knows neither what they open nor who uses them.

Fernet (AES-128-CBC with HMAC-SHA256, from `cryptography`) binds a text to no place, so the row's id is encrypted with
it: a row that is moved to another id does not open.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import SettingsError, VaultLocked
from daemon.store.vault import VaultStore

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

# `cryptography` takes 7 MB of memory: imports of it stand inside the functions, and who has no account pays nothing.

Secrets = Mapping[str, str]


class Vault:
    """Keeps secrets in `store`. `read_keys` gives the keys, the one to encrypt with first; it is asked at every use, so
    that a key that another process has put first counts at once."""

    def __init__(self, store: VaultStore, read_keys: Callable[[], Sequence[str]]) -> None:
        self._store = store
        self._read_keys = read_keys

    def put(self, row_id: str, secrets: Secrets) -> None:
        """Keep secrets under an id, in place of those that were there.

        Raises:
            SettingsError: the keys cannot be used.
            StoreError: the database cannot be written.
        """
        self._store.change(row_id, lambda sealed: _sealed(self._fernet(), row_id, secrets))

    def replace(self, row_id: str, before: Secrets, after: Secrets) -> bool:
        """Keep other secrets under an id, only in place of these; False where others are there by now.

        Raises:
            VaultLocked, SettingsError, StoreError: as `get`.
        """

        def change(sealed: str | None) -> str | None:
            fernet = self._fernet()
            if sealed is None or _opened(fernet, row_id, sealed) != dict(before):
                return None
            return _sealed(fernet, row_id, after)

        return self._store.change(row_id, change)

    def get(self, row_id: str) -> Secrets | None:
        """Read what is kept under an id; None where there is nothing.

        Raises:
            VaultLocked: none of the keys opens it, or it was not sealed for this id.
            SettingsError, StoreError: as `put`.
        """
        sealed = self._store.get(row_id)
        return None if sealed is None else _opened(self._fernet(), row_id, sealed)

    def drop(self, row_id: str) -> bool:
        """Forget what is kept under an id."""
        return self._store.drop(row_id)

    def reseal(self) -> int:
        """Encrypt everything anew with the first key; returns how many rows there are. All change, or none does.

        Raises:
            VaultLocked: one does not open.
        """
        fernet = self._fernet()

        def again(rows: Mapping[str, str]) -> Mapping[str, str]:
            return {row_id: _sealed(fernet, row_id, _opened(fernet, row_id, text)) for row_id, text in rows.items()}

        return self._store.reseal(again)

    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import MultiFernet

        return MultiFernet([_key(text) for text in self._read_keys()])


class KeyFile:
    """A file of keys, one a line, the current one first; made at the first use, for its owner alone to read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[str]:
        """The keys.

        Raises:
            SettingsError: the file can be neither read nor made.
        """
        try:
            return self._read() or self._made()
        except FileNotFoundError:
            return self._made()
        except OSError as exc:
            raise SettingsError(f"the vault's key file {self._path} cannot be read: {exc.strerror}") from exc

    def add(self) -> None:
        """Put a new key before the others.

        Raises:
            SettingsError: the file cannot be written.
        """
        self._write([_new_key(), *self.read()])

    def keep_first(self) -> None:
        """Remove all keys but the first.

        Raises:
            SettingsError: the file cannot be written.
        """
        self._write(self.read()[:1])

    def _read(self) -> list[str]:
        return split_keys(self._path.read_text("ascii", "replace"))

    def _made(self) -> list[str]:
        """Make the file, unless another process is faster: then its keys count."""
        self._write([_new_key()], replace=False)
        return self._read()

    def _write(self, keys: Sequence[str], replace: bool = True) -> None:
        try:
            self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write("".join(f"{key}\n" for key in keys))
                    file.flush()
                    os.fsync(file.fileno())
                if replace:
                    os.replace(name, self._path)
                else:
                    with suppress(FileExistsError):
                        os.link(name, self._path)
                _sync(self._path.parent)  # without the key nothing opens any more
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)
        except OSError as exc:
            raise SettingsError(f"the vault's key file {self._path} cannot be written: {exc.strerror}") from exc


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def split_keys(text: str) -> list[str]:
    """Take keys apart that stand on lines of their own or between commas."""
    return [key for key in re.split(r"[\s,]+", text) if key]


def _new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _key(text: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(text)
    except ValueError:
        raise SettingsError(
            "A key of the vault is not 32 bytes in URL-safe base64; `./vix vault rotate` writes such."
        ) from None


def _sealed(fernet: MultiFernet, row_id: str, secrets: Secrets) -> str:
    return fernet.encrypt(json.dumps({"id": row_id, "secrets": dict(secrets)}).encode()).decode()


def _opened(fernet: MultiFernet, row_id: str, sealed: str) -> dict[str, str]:
    from cryptography.fernet import InvalidToken

    try:
        plain = json.loads(fernet.decrypt(sealed.encode()))
    except InvalidToken:
        raise VaultLocked from None
    if plain["id"] != row_id:
        raise VaultLocked
    return {str(name): str(value) for name, value in plain["secrets"].items()}
