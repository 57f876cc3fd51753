"""Settings, read once from the environment and `.env`: typed and checked together. The only reader of either."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.errors import SettingsError
from daemon.failpoints import POINTS
from daemon.jobs import Limits

_SHORTEST_MASTER_KEY = 24
# Of the tests, of deployhook and of deploy.sh, which often stand in the same file.
_OF_OTHERS = ("VIX_TEST_", "VIX_HOOK_", "VIX_DEPLOY_", "VIX_HEALTH_URL")


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"{value} is neither an address nor a network such as 10.0.0.0/8") from None


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def _proxy(value: str) -> str:
    return value if value == "unix" else _network(value)


Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split)]

Proxies = Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], NoDecode, BeforeValidator(_split)]


def _url(value: SecretStr, *schemes: str) -> SecretStr:
    if value and value.get_secret_value().partition(":")[0].lower() not in schemes:
        raise ValueError("must be empty or start with " + ", ".join(f"{scheme}:" for scheme in schemes))
    return value


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `VIX_X_FILE` for every secret X, as systemd's credentials and containers hand them in; from the environment
    alone."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"VIX_{field_name.upper()}_FILE") if field.annotation is SecretStr else None
        if not path:
            return None, field_name, False
        try:
            text = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "it is not UTF-8 text"
            raise SettingsError(f"VIX_{field_name.upper()}_FILE: {path} cannot be read: {reason}") from exc
        if not text:  # or what was to be locked would be open, and nobody told
            raise SettingsError(f"VIX_{field_name.upper()}_FILE: {path} is empty")
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """Everything an operator can set. The variable is `VIX_` and the field's name in capitals, but for `FFMPEG`."""

    model_config = SettingsConfigDict(
        env_prefix="VIX_", env_file=".env", env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, SecretFiles(settings_cls), env_settings, dotenv_settings

    data: Path = Field(Path("data"), description="The one folder that holds everything that changes.")
    library: Path | None = Field(None, description="The clip library, where it is not `library` in the data folder.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080, description="Port the API listens on; 0 takes a free one."
    )
    socket: Path | None = Field(
        None, description="A unix socket that the API listens on instead; its group may open it."
    )
    public_url: AnyHttpUrl | None = Field(
        None, description="What clients reach the API at; without it, URLs in answers use the request's host."
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="Where jobs and keys are: empty for a file in the data folder, or `postgresql://`, `mysql://`.",
    )
    queue: SecretStr = Field(
        SecretStr(""),
        description="Where the doorbell hangs: empty for a file in the data folder, or `redis://`, `postgresql://`.",
    )
    films_folder: Path | None = Field(
        None,
        validation_alias=AliasChoices("VIX_FILMS", "films_folder"),
        description="Finished films, where they are not in `films` of the data folder: a folder that machines share.",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="64 hexadecimal digits that keys, links and signatures depend on; without it, `secret` in the data "
        "folder, made at the first start. Machines that share a database share it.",
    )
    master_key: SecretStr = Field(
        SecretStr(""), description="Opens `/admin`, at least 24 visible ASCII characters; without it nothing does."
    )
    admin_allow: Networks = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Addresses and networks that `/admin` answers, as they are seen from here or a trusted proxy names "
        "them, separated by commas.",
    )
    trusted_proxies: Proxies = Field(
        (),
        description="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, separated by commas: "
        "whoever is in a network named here can claim any address but this machine's; `unix` is the socket.",
    )
    accel_redirect: str = Field(
        "", description="Where Nginx has the films, for itself alone (`internal`), which it then sends itself."
    )
    private_hosts: Names = Field(
        (),
        description="Host names, addresses and networks that callbacks and media may come from although they are "
        "private, separated by commas.",
    )
    fonts_online: bool = Field(
        True, description="Whether fonts that are not here are fetched from Google Fonts; false asks nobody."
    )
    fonts_url: str = Field(
        "", description="A server of one's own with the paths of Google Fonts, which alone is asked then."
    )
    google_fonts_key: SecretStr = Field(
        SecretStr(""),
        description="Key of Google's Developer API, for its catalogue; without it, the website's is used.",
    )
    fonts_mb: Annotated[int, Field(ge=16)] = Field(
        256, description="MB that fetched fonts may take; the least recently used go first."
    )
    vault_key: SecretStr = Field(
        SecretStr(""),
        description="Keys that accounts' secrets are encrypted with, the current one first, separated by commas; "
        "without them, those in `vault.key` of the data folder, made when it is needed.",
    )
    facebook_url: str = Field("", description="A server in the place of Facebook's, which alone is asked then.")
    no_repeat_posts: Annotated[int, Field(ge=0, le=100)] = Field(
        6, description="Posts of a page back in which no clip is shown again, as long as there are others; 0 is none."
    )
    alert_urls: SecretStr = Field(
        SecretStr(""),
        description="Where alarms go, as Apprise URLs (`ntfy://`, `mailto://`, `tgram://`, ...) separated by commas.",
    )
    callback_url: SecretStr = Field(
        SecretStr(""), description="The operator's own URL: told of the end of every job, beside the job's own."
    )
    jobs_per_minute: Annotated[int, Field(ge=0)] = Field(
        120, description="Jobs a key may ask for in a minute, also at once, unless it says otherwise; 0 is no limit."
    )
    jobs_per_day: Annotated[int, Field(ge=0)] = Field(5_000, description="The same in a day (UTC).")
    jobs_waiting: Annotated[int, Field(ge=0)] = Field(2_000, description="Jobs of a key that may wait at once.")
    keep_films_h: Annotated[float, Field(gt=0)] = Field(
        168, description="Hours that a finished film is kept; then its download answers 410."
    )
    keep_jobs_h: Annotated[float, Field(gt=0)] = Field(2_160, description="Hours that an ended job can be asked about.")
    missed_slots_h: Annotated[float, Field(ge=0, le=168)] = Field(
        6, description="Hours that a schedule's slot, missed while Vix was down, still runs; then it is reported."
    )
    link_h: Annotated[float, Field(gt=0, le=720)] = Field(24, description="Hours that a signed link works.")
    lease_s: Annotated[float, Field(ge=1)] = Field(
        30, description="Seconds of silence after which another worker takes over what a worker was making."
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
    log_format: Literal["text", "json"] = Field("text", description="`text` for people, `json` for collectors.")
    fail_at: str = Field("", description="For tests: the failpoint at which the process kills itself.")

    @field_validator("data", "library", "films_folder", "socket", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("log_level", mode="after")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("queue", mode="after")
    @classmethod
    def _known_queue(cls, value: SecretStr) -> SecretStr:
        return _url(value, "sqlite", "redis", "rediss", "postgres", "postgresql")

    @field_validator("database", mode="after")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        return _url(value, "sqlite", "postgres", "postgresql", "mysql", "mariadb")

    @field_validator("callback_url", mode="after")
    @classmethod
    def _known_callback(cls, value: SecretStr) -> SecretStr:
        return _url(value, "http", "https")

    @field_validator("fonts_url", "facebook_url", mode="after")
    @classmethod
    def _origin(cls, value: str) -> str:
        if not re.fullmatch(r"(https?://[a-z0-9.:\[\]_-]+/?)?", value):
            raise ValueError(
                "must be empty or an address without a path, in small letters, such as http://fonts.lan:8000"
            )
        return value.rstrip("/")

    @field_validator("accel_redirect", mode="after")
    @classmethod
    def _location(cls, value: str) -> str:
        if not re.fullmatch(r"(/[A-Za-z0-9_-]+)*/|", value):
            raise ValueError("must be empty or the path of a location such as /films/, with a slash at both ends")
        return value

    @field_validator("secret", mode="after")
    @classmethod
    def _hexadecimal(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"([0-9a-fA-F]{64})?", value.get_secret_value()):
            raise ValueError("must be 64 hexadecimal digits; `openssl rand -hex 32` writes such")
        return value

    @field_validator("master_key", mode="after")
    @classmethod
    def _sendable(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", key):
            raise ValueError("must be visible ASCII without a space at its ends, as it is sent in a header")
        if 0 < len(key) < _SHORTEST_MASTER_KEY:
            raise ValueError(f"must have at least {_SHORTEST_MASTER_KEY} characters")
        return value

    @field_validator("fail_at", mode="after")
    @classmethod
    def _known_failpoint(cls, value: str) -> str:
        if value and value not in POINTS:
            raise ValueError(f"is no failpoint; there are {', '.join(POINTS)}")
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
        return self.films_folder or self.data / "films"

    @property
    def work(self) -> Path:
        """Intermediate files of films that are being made."""
        return self.data / "work"

    @property
    def fonts(self) -> Path:
        """The operator's own fonts."""
        return self.data / "fonts"

    @property
    def google_fonts(self) -> Path:
        """Fonts that were fetched from Google Fonts, and its catalogue."""
        return self.data / "google_fonts"

    @property
    def catalogue(self) -> Path:
        """What is known about each clip."""
        return self.data / "catalogue.json"

    @property
    def limits(self) -> Limits:
        """What a key may ask for unless it says otherwise."""
        return Limits(self.jobs_per_minute, self.jobs_per_day, self.jobs_waiting)

    def secrets(self) -> list[str]:
        """Every secret that is set, so that it can be kept out of logs."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = [value.get_secret_value() for value in values if isinstance(value, SecretStr) and value]
        parts = [part for value in found for part in re.split(r"[\s,]+", value) if part]
        return list(dict.fromkeys([*found, *parts]))

    def redacted(self) -> dict[str, Any]:
        """Every setting by its variable, secrets only as set or not."""
        values = {variable(name): getattr(self, name) for name in type(self).model_fields}
        return {name: _shown(value) for name, value in values.items()}

    def chosen_threads(self) -> int:
        """Threads for FFmpeg: half the cores, since decoder, filters and encoder run side by side already."""
        return self.threads or max(1, min(4, len(os.sched_getaffinity(0)) // 2))


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "set" if value else ""
    return list(value) if isinstance(value, tuple) else value if isinstance(value, int | float) else str(value or "")


def load() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming every wrong variable and what it must be.
    """
    try:
        return Settings()
    except ValidationError as exc:
        lines = [f"{variable(str(error['loc'][0]))}: {error['msg']}" for error in exc.errors(include_url=False)]
        raise SettingsError("; ".join(lines)) from None


def notify_socket() -> str:
    """Where systemd wants to be told how the process is, see sd_notify(3); empty where nobody does."""
    return os.environ.get("NOTIFY_SOCKET", "")


def misspelt() -> list[str]:
    """A sentence for each `VIX_` variable that means nothing."""
    known = [variable(name) for name in Settings.model_fields if name != "ffmpeg"]
    known += [
        f"{variable(name)}_FILE" for name, field in Settings.model_fields.items() if field.annotation is SecretStr
    ]
    strange = sorted(
        name for name in os.environ if name.startswith("VIX_") and not name.startswith(_OF_OTHERS) and name not in known
    )
    near = {name: get_close_matches(name, known, n=1) for name in strange}
    return [f"{name} is no setting." + (f" Did you mean {near[name][0]}?" if near[name] else "") for name in strange]


def variable(field: str) -> str:
    """The environment variable that a field is read from; a variable is its own."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else None
    name = alias.choices[0] if isinstance(alias, AliasChoices) else field
    return str(name) if str(name).startswith(("VIX_", "FFMPEG")) else f"VIX_{field.upper()}"
