"""Backups and what can go wrong with them: kill -9 at every step, damage, strangers' files, old and newer tables.
Either everything old is there or everything new, and nothing is lost."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from daemon.commit import running_commit
from tests.faults.processes import PATIENCE_S, ROOT
from tests.faults.test_30_old_and_new_tables import make_first

BACKUP_POINTS = ("backup_copied", "backup_written")
RESTORE_POINTS = ("restore_staged", "restore_decided", "restore_moved", "restore_placed")
NAMES = ("vix.db", "catalogue.json", "secret", "vault.key")


class House:
    """A data folder and the commands on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir()

    def vix(self, *arguments: object, fail_at: str = "", code: int = 0, **settings: str) -> str:
        """Run a command; returns what it said, errors included."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VIX_")}
        ours = {"VIX_DATA": str(self.data), "VIX_FAIL_AT": fail_at, "PYTHONPATH": str(ROOT)} | settings
        done = subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *map(str, arguments)],
            cwd=self.data.parent,
            env=kept | ours,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if fail_at else code), done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def keys(self) -> set[str]:
        """The names of the keys, as the database has them, which is whole."""
        with closing(sqlite3.connect(self.data / "vix.db")) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            return {name for (name,) in connection.execute("select name from key")}

    def files(self) -> dict[str, bytes]:
        return {name: (self.data / name).read_bytes() for name in NAMES if (self.data / name).exists()}

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.data.glob("restore.*"))

    def before(self) -> Path:
        """The one folder of what was there before a restore."""
        (found,) = self.data.glob("before-restore-*")
        return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    """There is a key named `old`, and something is known of clips."""
    made = House(tmp_path / "data")
    made.vix("keys", "create", "old")
    (made.data / "catalogue.json").write_text('{"old": 1}')
    (made.data / "vault.key").write_text(secrets.token_urlsafe(32) + "\n")
    return made


@pytest.fixture
def saved(house: House, tmp_path: Path) -> Path:
    """A backup with keys, after which much has changed."""
    file = tmp_path / "backup.tar.gz"
    assert "with keys" in house.vix("backup", file, "--with-keys")
    house.vix("keys", "create", "new")
    (house.data / "catalogue.json").write_text('{"new": 1}')
    return file


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


def described_as(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def pack(file: Path, content: dict[str, bytes]) -> None:
    """Write such an archive, whatever is in it."""
    with tarfile.open(file, "w:gz") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_a_backup_holds_what_its_manifest_says(house: House, tmp_path: Path) -> None:
    file = tmp_path / "some folder" / "backup.tar.gz"
    assert "cannot be written" in house.vix("backup", file, code=1)
    file.parent.mkdir()
    assert "without keys" in house.vix("backup", file)
    content = members(file)
    manifest = json.loads(content.pop("manifest.json"))
    assert set(content) == {"vix.db", "catalogue.json"}
    described = {name: described_as(data) for name, data in content.items()}
    assert manifest["files"] == described
    assert (manifest["format"], manifest["commit"]) == (1, running_commit())
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]
    for name in ("secret", "vault.key"):
        text = (house.data / name).read_text().strip()
        assert all(text.encode() not in data for data in [*content.values(), json.dumps(manifest).encode()]), name
    house.vix("backup", file, "--with-keys")
    content = members(file)
    assert content["secret"] == (house.data / "secret").read_bytes()
    assert content["vault.key"] == (house.data / "vault.key").read_bytes()


def test_restored_is_what_was_saved_and_what_was_there_is_kept(house: House, saved: Path) -> None:
    old = {name: data for name, data in members(saved).items() if name in NAMES}
    said = house.vix("restore", saved)
    assert str(house.before()) in said
    assert house.keys() == {"old"}
    assert {name: data for name, data in house.files().items() if name != "vix.db"} == {
        name: data for name, data in old.items() if name != "vix.db"
    }
    kept = House.__new__(House)
    kept.data = house.before()
    assert kept.keys() == {"old", "new"}
    assert (kept.data / "catalogue.json").read_text() == '{"new": 1}'
    assert house.leftovers() == []
    assert "old" in house.vix("keys", "list")


@pytest.mark.parametrize("point", BACKUP_POINTS)
def test_killed_while_backing_up(house: House, saved: Path, point: str) -> None:
    before = saved.read_bytes()
    house.vix("backup", saved, fail_at=point)
    assert saved.read_bytes() == before
    house.vix("backup", saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == [saved.name, "data"]
    house.vix("restore", saved)
    assert house.keys() == {"old", "new"}


@pytest.mark.parametrize("again", ["keys", "restore", "restore another"])
@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_killed_while_restoring_nothing_is_half(house: House, saved: Path, point: str, again: str) -> None:
    newer = saved.with_name("newer.tar.gz")
    house.vix("backup", newer)
    before = house.files()
    house.vix("restore", saved, fail_at=point)
    if point == "restore_staged":
        assert house.files() == before
    if again == "keys":  # whatever opens the database ends what was decided
        listed = house.vix("keys", "list")
        assert ("new" in listed) == (point == "restore_staged")
    else:
        house.vix("restore", newer if again == "restore another" else saved)
        assert house.keys() == ({"old", "new"} if again == "restore another" else {"old"})
    assert [name for name in house.leftovers() if name != "restore.part"] == []
    if again == "keys" and point != "restore_staged":
        assert house.keys() == {"old"}
        assert (house.data / "catalogue.json").read_text() == '{"old": 1}'
        assert (house.before() / "vix.db").exists()


def test_killed_at_any_moment_everything_is_there(house: House, saved: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(6):
        command = [sys.executable, "-P", "-m", "daemon", "restore", str(saved)]
        with subprocess.Popen(command, env=os.environ | {"VIX_DATA": str(house.data)}, cwd=ROOT) as process:
            try:
                process.wait(chance.uniform(0.2, 1.5))
            except subprocess.TimeoutExpired:
                process.kill()
        assert "old" in house.vix("keys", "list")
        if house.keys() == {"old"}:
            assert (house.data / "catalogue.json").read_text() == '{"old": 1}'
            house.vix("keys", "create", "new")
            (house.data / "catalogue.json").write_text('{"new": 1}')
        else:
            assert (house.data / "catalogue.json").read_text() == '{"new": 1}'


def test_what_is_no_good_backup_changes_nothing(house: House, saved: Path, tmp_path: Path) -> None:
    good, before = members(saved), house.files()
    whole = saved.read_bytes()
    newer = json.loads(good["manifest.json"]) | {"format": 2}
    strange = good | {"../outside": b"x"}
    manifest = json.loads(good["manifest.json"])
    manifest["files"]["../outside"] = described_as(b"x")
    bad = {
        "no manifest": {"vix.db": good["vix.db"]},
        "no database": {name: data for name, data in good.items() if name != "vix.db"},
        "damaged": good | {"vix.db": good["vix.db"][:-1] + b"x"},
        "longer": good | {"vix.db": good["vix.db"] + b"x"},
        "newer format": good | {"manifest.json": json.dumps(newer).encode()},
        "stranger": strange,
        "stranger in the manifest": strange | {"manifest.json": json.dumps(manifest).encode()},
        "no JSON": good | {"manifest.json": b"{"},
    }
    for name, content in bad.items():
        file = tmp_path / f"{name}.tar.gz"
        pack(file, content)
        said = house.vix("restore", file, code=1)
        assert said.count("\n") == 1, (name, said)
        assert (house.files(), house.leftovers()) == (before, []), name
    for name, text in {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no backup" * 100}.items():
        file = tmp_path / name
        file.write_bytes(text)
        assert house.vix("restore", file, code=1).count("\n") == 1
        assert (house.files(), house.leftovers()) == (before, []), name
    assert not (tmp_path / "outside").exists()
    assert not list(house.data.glob("before-restore-*"))


def test_every_flipped_bit_is_found(house: House, saved: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, whole, before = random.Random(seed), saved.read_bytes(), house.files()
    for _ in range(10):
        at = chance.randrange(20, len(whole) - 8)
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        try:
            house.vix("restore", saved, code=1)
        except AssertionError:  # it was in the name of the file that gzip writes down for people
            assert house.keys() == {"old"}
            assert at < 10 + len(f"{saved.name}.part")
            return
        assert house.files() == before


def test_an_old_backup_is_brought_up_to_date(house: House, tmp_path: Path) -> None:
    """Also one that deploy.sh has made, which is the bare database."""
    plain = tmp_path / "old.db"
    make_first(plain)
    house.vix("restore", plain)
    assert "n8n" in house.vix("keys", "list")
    shutil.rmtree(house.before())
    file = tmp_path / "backup.tar.gz"
    house.vix("backup", file)
    content = members(file)
    content["vix.db"] = plain.read_bytes()
    manifest = json.loads(content["manifest.json"])
    manifest["files"]["vix.db"] = described_as(plain.read_bytes())
    pack(file, content | {"manifest.json": json.dumps(manifest).encode()})
    house.vix("restore", file)
    assert "n8n" in house.vix("keys", "list")


def test_a_backup_of_a_newer_vix_is_refused(house: House, saved: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    newer.write_bytes(members(saved)["vix.db"])
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("insert into schema_migration (name, applied) values ('9999_later', '2030-01-01')")
    assert "9999_later" in house.vix("restore", newer, code=1)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("drop table schema_migration")
    assert "no tables of Vix" in house.vix("restore", newer, code=1)
    assert house.keys() == {"old", "new"}


def test_keys_that_do_not_fit_are_told(house: House, saved: Path, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    without = tmp_path / "without.tar.gz"
    house.vix("backup", without)
    said = other.vix("restore", without)
    assert "another secret" in said
    assert "another vault.key" in said
    secret = (house.data / "secret").read_text().strip()
    assert "another secret" not in other.vix("restore", without, VIX_SECRET=secret)
    assert "VIX_SECRET" in other.vix("restore", saved, VIX_SECRET="0" * 64, code=1)
    assert "Note" not in other.vix("restore", saved, VIX_SECRET=secret)
    assert not (other.data / "secret").exists(), "it is set, so that a file would only be in the way"
    assert (other.data / "vault.key").read_bytes() == (house.data / "vault.key").read_bytes()


def test_a_server_is_backed_up_with_its_own_tools(house: House, tmp_path: Path) -> None:
    for command in (["backup", tmp_path / "x"], ["restore", house.data / "vix.db"]):
        said = house.vix(*command, VIX_DATABASE="postgresql://nobody@127.0.0.1/none", code=1)
        assert "pg_dump" in said
    assert "nothing to back up" in House(tmp_path / "empty").vix("backup", tmp_path / "x", code=1)
    assert not (tmp_path / "x").exists()
