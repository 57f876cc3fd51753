"""Settings, read once from the environment and `.env`: typed and checked together. The only reader of either."""

from __future__ import annotations

import os
import re
import shutil
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from daemon.errors import SettingsError


class Settings(BaseSettings):
    """Everything an operator can set. The variable is `VIX_` and the field's name in capitals, but for `FFMPEG`."""

    model_config = SettingsConfigDict(
        env_prefix="VIX_", env_file=".env", env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )

    data: Path = Field(Path("data"), description="The one folder that holds everything that changes.")
    library: Path | None = Field(None, description="The clip library, where it is not `library` in the data folder.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080, description="Port the API listens on; 0 takes a free one."
    )
    public_url: AnyHttpUrl | None = Field(
        None, description="What clients reach the API at; without it, URLs in answers use the request's host."
    )
    queue_url: SecretStr = Field(
        SecretStr(""),
        description="Where the doorbell hangs: empty for a file in the data folder, or `redis://`, `postgresql://`.",
    )
    ffmpeg: str = Field(
        "",
        validation_alias=AliasChoices("FFMPEG", "ffmpeg"),
        description="An FFmpeg to use instead of the one that comes with Vix (9.0 or newer).",
    )
    threads: Annotated[int, Field(ge=0, le=64)] = Field(
        0, description="Threads of FFmpeg's decoder and encoder each; 0 chooses by the machine."
    )
    stall_s: Annotated[float, Field(ge=1)] = Field(
        60, description="Seconds without progress after which FFmpeg is killed."
    )
    stop_s: Annotated[float, Field(ge=0)] = Field(
        30, description="Seconds a film may take to finish when the worker is asked to stop; then it is put back."
    )
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("data", "library", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("log_level", mode="after")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("queue_url", mode="after")
    @classmethod
    def _known_queue(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url and not re.match(r"(sqlite|rediss?|postgres(ql)?)://", url):
            raise ValueError("must be empty or start with sqlite://, redis:// or postgresql://")
        return value

    @field_validator("ffmpeg", mode="after")
    @classmethod
    def _executable(cls, value: str) -> str:
        # What is not found stays as it is written: starting it fails, and `vix doctor` says so.
        return os.path.abspath(shutil.which(value) or value) if value else ""

    @property
    def library_folder(self) -> Path:
        """The clip library: `styles/<style>/*`, `audio/*`, `logos/*`."""
        return self.library or self.data / "library"

    @property
    def films(self) -> Path:
        """Finished films."""
        return self.data / "films"

    @property
    def work(self) -> Path:
        """Intermediate files of films that are being made."""
        return self.data / "work"

    @property
    def fonts(self) -> Path:
        """The operator's own fonts."""
        return self.data / "fonts"

    @property
    def catalogue(self) -> Path:
        """What is known about each clip."""
        return self.data / "catalogue.json"

    def chosen_threads(self) -> int:
        """Threads for FFmpeg: half the cores, since decoder, filters and encoder run side by side already."""
        return self.threads or max(1, min(4, len(os.sched_getaffinity(0)) // 2))


def load() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming every wrong variable and what it must be.
    """
    try:
        return Settings()
    except ValidationError as exc:
        lines = [f"{_variable(error['loc'])}: {error['msg']}" for error in exc.errors(include_url=False)]
        raise SettingsError("; ".join(lines)) from None


def misspelt() -> list[str]:
    """A sentence for each `VIX_` variable that means nothing."""
    known = [f"VIX_{name.upper()}" for name in Settings.model_fields]
    strange = sorted(name for name in os.environ if name.startswith("VIX_") and name not in known)
    near = {name: get_close_matches(name, known, n=1) for name in strange}
    return [f"{name} is no setting." + (f" Did you mean {near[name][0]}?" if near[name] else "") for name in strange]


def _variable(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0]).upper() if loc else "settings"
    return name if name == "FFMPEG" else f"VIX_{name}"
