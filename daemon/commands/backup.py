"""`vix backup` writes one file of what cannot be made again, while the service runs; `vix restore` puts it back."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon import __version__, failpoints
from daemon.commands import places, wiring
from daemon.commit import running_commit
from daemon.errors import BackupRefused, SettingsError
from daemon.settings import Settings

if TYPE_CHECKING:
    from daemon.backups.archive import Manifest

FILE = click.Path(path_type=Path, dir_okay=False)
_SQLITE = b"SQLite format 3\0"


@click.command()
@click.argument("file", type=FILE)
@click.option("--with-keys", is_flag=True, help="With the secret and the vault's keys: as secret as they are.")
def backup(file: Path, with_keys: bool) -> None:
    """Write jobs, keys, accounts, schedules and what is known of clips to FILE, while Vix runs."""
    from daemon.backups import archive
    from daemon.store import snapshot

    settings = wiring.ready_settings(as_owner=False)
    database = _database_file(settings)
    places.be_present(settings)
    if not database.exists():
        raise SettingsError(f"there is nothing to back up: {database} is not there")
    secret, vault_keys = _secret(settings), _vault_keys(settings)
    copy = file.with_name(f"{file.name}.part.db")
    try:
        copy.unlink(missing_ok=True)
        copy.touch(0o600)
        snapshot.copy(database, copy)
        failpoints.reach("backup_copied")
        files: dict[str, Path | bytes] = {"vix.db": copy}
        if settings.catalogue.exists():
            files["catalogue.json"] = settings.catalogue.read_bytes()
        if with_keys:
            files |= {"secret": secret.encode(), "vault.key": "".join(f"{key}\n" for key in vault_keys).encode()}
        members = {name: archive.measure(content) for name, content in files.items()}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        marks = (_mark(secret), tuple(map(_mark, vault_keys)))
        archive.write(file, archive.Manifest(__version__, running_commit(), created, *marks, members), files)
    except OSError as exc:
        raise BackupRefused(f"{file} cannot be written: {exc.strerror or exc}.") from exc
    finally:
        copy.unlink(missing_ok=True)
    click.echo(f"{file}: {file.stat().st_size / 2**20:.1f} MB, {'with' if with_keys else 'without'} keys")
    if not with_keys:
        click.echo("Keep the secret and the vault's keys elsewhere: without them API keys and tokens are of no use.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(file: Path) -> None:
    """Put what `backup` has written (or deploy.sh, before a deploy) in the place of what is there; Vix must not run."""
    from daemon.backups import presence
    from daemon.worker.lock import WorkerLock

    settings = wiring.ready_settings(as_owner=False)
    _database_file(settings)
    try:
        with presence.alone(settings.data), WorkerLock(settings.data / "worker.lock"):
            presence.give_to_owner(settings.data / "worker.lock", settings.data)
            _restore(settings, file)
    except OSError as exc:
        raise BackupRefused(f"{file} could not be restored: {exc.filename or ''}: {exc.strerror or exc}.") from exc


def _restore(settings: Settings, file: Path) -> None:
    """Everything that can go wrong does so beside what is there."""
    swap = places.swap(settings)
    if swap.is_decided:
        click.echo(f"A restore that was cut off is finished first; what was there is in {swap.finish()}.")
    swap.begin()
    try:
        manifest = _unpack(settings, file, swap.part)
        notes = _keys_fit(settings, manifest, swap.part) if manifest else []
        held = _brought_up_to_date(swap.part / "vix.db")
        kept = swap.decide()
    except BaseException:
        swap.abandon()
        raise
    click.echo(f"Restored: {_described(manifest)}. What was there is in {kept}; remove it when all is well.")
    if held:
        click.echo(
            f"{held} posts were due: whether they went out after the backup, nobody here knows. They wait for you: "
            "`vix deliveries list --state unknown` (those whose film is made anew come there later)."
        )
    for note in notes:
        click.echo(note, err=True)


def _unpack(settings: Settings, file: Path, folder: Path) -> Manifest | None:
    from daemon.backups import archive

    with file.open("rb") as opened:
        is_plain = opened.read(len(_SQLITE)) == _SQLITE
    if is_plain:
        shutil.copyfile(file, folder / "vix.db")
        return None
    manifest = archive.unpack(file, folder, places.backed_up(settings))
    if "vix.db" not in manifest.files:
        raise BackupRefused("This backup lacks vix.db.")
    return manifest


def _brought_up_to_date(database: Path) -> int:
    """Check the database and migrate it where it lies; returns how many deliveries are in doubt."""
    from daemon.store import snapshot
    from daemon.store.database import open_database

    snapshot.check(database)
    if newer := snapshot.unknown_migrations(database):
        raise BackupRefused(f"A newer Vix has made this backup (it knows {newer[0]}); update this one first.")
    opened = open_database(database)
    try:
        held = snapshot.doubt(opened, datetime.now(UTC))
    finally:
        opened.close()
    # One file, as nothing else of it is moved; closing has emptied what was beside it.
    snapshot.copy(database, database.with_name("whole.db"))
    for beside in database.parent.glob("vix.db*"):
        beside.unlink()
    database.with_name("whole.db").rename(database)
    return held


def _keys_fit(settings: Settings, manifest: Manifest, folder: Path) -> list[str]:
    """See that the keys of the backup and those that are set are the same; notes where there are none in it."""
    notes = []
    is_set = {"secret": bool(settings.secret), "vault.key": bool(settings.vault_key)}
    secret, vault_keys = _secret(settings), [_mark(key) for key in _vault_keys(settings)]
    differs = {
        "secret": manifest.secret not in ("", _mark(secret)),
        "vault.key": not set(manifest.vault_keys) <= set(vault_keys),
    }
    variables = {"secret": "VIX_SECRET", "vault.key": "VIX_VAULT_KEY"}
    losses = {"secret": "API keys and links", "vault.key": "the tokens of accounts"}
    for name, is_other in differs.items():
        new = folder / name
        if is_set[name] and new.exists():
            if is_other:
                raise BackupRefused(
                    f"This backup's {name} is another than {variables[name]}: put it there first "
                    f"(`tar -xzOf FILE {name}` prints it)."
                )
            new.unlink()
        elif is_other and not new.exists():
            notes.append(f"Note: it was made with another {name} than is here: {losses[name]} in it are of no use.")
    return notes


def _database_file(settings: Settings) -> Path:
    place = places.backed_up(settings).get("vix.db")
    if place is None:
        raise SettingsError(
            "VIX_DATABASE names a server, which has tools of its own for this: pg_dump and pg_restore, or mysqldump "
            "and mysql. Keep VIX_SECRET and VIX_VAULT_KEY beside what they write."
        )
    return place


def _secret(settings: Settings) -> str:
    """The secret in hexadecimal; empty where there is none yet."""
    path = settings.data / "secret"
    given = settings.secret.get_secret_value()
    return given.lower() or (path.read_text("ascii", "replace").strip().lower() if path.exists() else "")


def _vault_keys(settings: Settings) -> list[str]:
    from daemon.vault import split_keys

    path = places.vault_key_file(settings)
    given = settings.vault_key.get_secret_value()
    return split_keys(given or (path.read_text("ascii", "replace") if path.exists() else ""))


def _mark(key: str) -> str:
    """What tells a key of 32 random bytes from another, and nothing about it."""
    return hashlib.sha256(f"vix backup {key}".encode()).hexdigest()[:16] if key else ""


def _described(manifest: Manifest | None) -> str:
    if manifest is None:
        return "a copy of a database"
    commit = f" ({manifest.commit[:12]})" if manifest.commit else ""
    return f"a backup of {manifest.created}, made by Vix {manifest.version}{commit}"
