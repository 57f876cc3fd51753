"""Secrets at rest: encrypted, bound to their row, and readable after a change of keys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from daemon.errors import SettingsError, VaultLocked
from daemon.store.database import Database
from daemon.store.tables import VaultRow
from daemon.store.vault import VaultStore
from daemon.vault import KeyFile, Vault
from tests.daemon.conftest import every_database

SECRETS = {"token": "EAAcanary", "app_secret": "canary"}


@every_database
def test_what_is_put_in_comes_out(vix_database: Database) -> None:
    key = Fernet.generate_key().decode()
    vault = Vault(VaultStore(vix_database), lambda: [key])
    assert vault.get("acc_1") is None
    vault.put("acc_1", {"token": "old"})
    vault.put("acc_1", SECRETS)
    assert vault.get("acc_1") == SECRETS
    assert vault.drop("acc_1")
    assert vault.get("acc_1") is None


def test_nothing_of_it_can_be_read_in_the_file(vix_database: Database, tmp_path: Path) -> None:
    vault = Vault(VaultStore(vix_database), KeyFile(tmp_path / "key" / "vault.key").read)
    vault.put("acc_1", SECRETS)
    stored = b"".join(path.read_bytes() for path in vix_database.path.parent.glob("vix.db*"))
    assert b"canary" not in stored
    assert b"acc_1" in stored


def test_a_row_that_is_moved_does_not_open(vix_database: Database) -> None:
    key = Fernet.generate_key().decode()
    vault = Vault(VaultStore(vix_database), lambda: [key])
    vault.put("acc_1", SECRETS)
    with vix_database.write() as connection:
        VaultRow.update(id="acc_2").where(VaultRow.id == "acc_1").execute(connection)
    with pytest.raises(VaultLocked):
        vault.get("acc_2")


def test_another_key_does_not_open_it(vix_database: Database) -> None:
    one, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    Vault(VaultStore(vix_database), lambda: [one]).put("acc_1", SECRETS)
    with pytest.raises(VaultLocked, match="VIX_VAULT_KEY"):
        Vault(VaultStore(vix_database), lambda: [other]).get("acc_1")


def test_keys_are_changed_without_a_gap(vix_database: Database, tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "vault.key")
    vault = Vault(VaultStore(vix_database), file.read)
    vault.put("acc_1", SECRETS)
    (first,) = file.read()
    file.add()
    assert file.read()[1] == first
    assert vault.get("acc_1") == SECRETS
    assert vault.reseal() == 1
    file.keep_first()
    assert first not in file.read()
    assert vault.get("acc_1") == SECRETS


def test_where_one_does_not_open_all_stay(vix_database: Database, tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "vault.key")
    vault = Vault(VaultStore(vix_database), file.read)
    vault.put("acc_1", SECRETS)
    strange = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    VaultStore(vix_database).change("acc_2", lambda sealed: strange)
    before = VaultStore(vix_database).get("acc_1")
    file.add()
    with pytest.raises(VaultLocked):
        vault.reseal()
    assert VaultStore(vix_database).get("acc_1") == before


def test_the_key_file_is_its_owners_alone_and_is_made_once(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "vault.key")
    keys = file.read()
    assert file.read() == keys == KeyFile(tmp_path / "vault.key").read()
    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]


def test_a_key_that_is_none_is_told(vix_database: Database) -> None:
    with pytest.raises(SettingsError, match="32 bytes"):
        Vault(VaultStore(vix_database), lambda: ["short"]).put("acc_1", SECRETS)
