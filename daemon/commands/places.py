"""Where what lies, which several commands have to agree on, and who may be there. Opens nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import SettingsError
from daemon.settings import Settings

if TYPE_CHECKING:
    from daemon.backups.swap import Swap


def database_target(settings: Settings) -> Path | str:
    """Where the database is."""
    return settings.database.get_secret_value() or settings.data / "vix.db"


def be_present(settings: Settings) -> None:
    """Keep a restore away from the data folder for as long as this process lives, after ending one that was cut off.

    Raises:
        NotYet, AlreadyRunning: one is under way.
        SettingsError: the folder cannot be used.
    """
    from daemon.backups import presence

    try:
        if (cut_off := swap(settings)).is_decided:
            with presence.alone(settings.data):
                if cut_off.is_decided:
                    cut_off.finish()
        presence.enter(settings.data)
    except OSError as exc:
        raise unwritable(settings.data, exc.strerror) from exc


def swap(settings: Settings) -> Swap:
    """What puts a backup in the place of what is there."""
    from daemon.backups.swap import Swap

    return Swap(settings.data, backed_up(settings))


def backed_up(settings: Settings) -> dict[str, Path]:
    """The files of a backup by their names in it; the first is there in each."""
    from daemon.targets import scheme, sqlite_path

    target = database_target(settings)
    place = {"vix.db": sqlite_path(target).absolute()} if scheme(target) == "sqlite" else {}
    keys = {"secret": settings.data / "secret", "vault.key": vault_key_file(settings)}
    return place | {"catalogue.json": settings.catalogue} | keys


def vault_key_file(settings: Settings) -> Path:
    """Where the vault's keys are unless they are set."""
    return settings.data / "vault.key"


def unwritable(folder: Path, reason: str | None) -> SettingsError:
    return SettingsError(
        f"the data folder {folder} cannot be written: {reason}. Set VIX_DATA to a folder that you may write to."
    )
