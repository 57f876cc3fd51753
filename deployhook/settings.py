"""Settings of the hook, read once from the environment and `.env`: the only reader of either here."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployhook.errors import SettingsError

PREFIX = "VIX_HOOK_"
SHORTEST_SECRET = 16
SECRETS = ("secret", "status_token")
# Every variable and what it means; README lists the same.
VARIABLES = {
    "secret": "The secret of the webhook at GitHub, at least 16 characters; without it the hook does not start.",
    "repository": "The repository that is deployed, as `owner/name`.",
    "branch": "The branch that is deployed.",
    "status_token": "Opens `GET /deploy/status`, at least 16 characters; without it only this machine gets it.",
    "base": "The folder with `repo`, `releases` and `current`.",
    "state": "The folder of the request and of what is known of deliveries; all that the hook writes.",
    "checkout": "A clone that knows the remote.",
    "remote": "The remote of that clone, or a URL.",
    "host": "Address that the hook listens on.",
    "port": "Port that the hook listens on; 0 takes a free one.",
    "socket": "A Unix socket to listen on instead.",
    "every_s": "Seconds between two looks for a push that was missed.",
}

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9._-]{1,100}")
# They reach git's arguments, so they may neither look like an option nor name several things.
_BRANCH = re.compile(r"(?!.*(\.\.|//|@\{|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,200}(?<![/.])")
_REMOTE = re.compile(r"(?!-)[^\s\0]{1,1000}")
_LINE = re.compile(r"\s*(?:export\s+)?(VIX_HOOK_[A-Z_]+)\s*=\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator has set. `environment` is what git gets: everything but the settings themselves."""

    secret: str = field(repr=False)
    repository: str
    base: Path
    state: Path
    checkout: Path
    branch: str = "main"
    status_token: str = field(default="", repr=False)
    remote: str = "origin"
    host: str = "127.0.0.1"
    port: int = 9000
    socket: Path | None = None
    every_s: float = 300.0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def records(self) -> Path:
        """Where `deploy.sh` writes down how deploys went."""
        return self.base / "deploys"


def load() -> Settings:
    """Read the environment of this process and `.env` in its folder, which the environment overrules.

    Raises:
        SettingsError: naming every wrong variable and what it must be.
    """
    return parse({**_dotenv(Path(".env")), **os.environ})


def parse(variables: Mapping[str, str]) -> Settings:
    """Check the variables and build the settings.

    Raises:
        SettingsError: as `load`.
    """
    problems: list[str] = []
    given = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items() if name.startswith(PREFIX)}
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    known = {*VARIABLES, *(f"{name}_file" for name in SECRETS)}
    problems += [f"{PREFIX}{name.upper()} is no setting" for name in sorted(set(values) - known)]
    for name in SECRETS:
        values[name] = _secret(name, values, problems)
    if not values["secret"]:
        problems.insert(0, f"{PREFIX}SECRET is not set: put the webhook's secret there, or its file's name in _FILE")
    values.setdefault("branch", "main")
    values.setdefault("remote", "origin")
    for name, pattern, example in (
        ("repository", _REPOSITORY, "owner/name"),
        ("branch", _BRANCH, "main"),
        ("remote", _REMOTE, "origin"),
    ):
        if not pattern.fullmatch(values.get(name, "")):
            problems.append(f"{PREFIX}{name.upper()} must be like {example}")
    port = _number("port", values.get("port", "9000"), 0, 65_535, problems)
    every_s = _number("every_s", values.get("every_s", "300"), 1, 86_400, problems)
    if not (base := _folder(values.get("base", "")) or _own_base()):
        problems.append(f"{PREFIX}BASE must be the folder with repo, releases and current")
    if problems:
        raise SettingsError("; ".join(problems) + ".")
    assert base is not None
    return Settings(
        secret=values["secret"],
        repository=values["repository"],
        base=base,
        state=_folder(values.get("state", "")) or base / "deploys",
        checkout=_folder(values.get("checkout", "")) or base / "repo",
        branch=values["branch"],
        status_token=values["status_token"],
        remote=values["remote"],
        host=values.get("host", "127.0.0.1"),
        port=int(port),
        socket=_folder(values.get("socket", "")),
        every_s=every_s,
        environment={name: value for name, value in variables.items() if not name.startswith("VIX_")},
    )


def _secret(name: str, values: Mapping[str, str], problems: list[str]) -> str:
    variable = f"{PREFIX}{name.upper()}"
    value = values.get(name, "")
    if path := values.get(f"{name}_file"):
        try:
            value = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "it is not UTF-8 text"
            problems.append(f"{variable}_FILE: {path} cannot be read: {reason}")
            return ""
        if not value:  # or what was to be locked would be open, and nobody told
            problems.append(f"{variable}_FILE: {path} is empty")
            return ""
    if value and len(value) < SHORTEST_SECRET:
        problems.append(
            f"{variable} must have at least {SHORTEST_SECRET} characters; `openssl rand -hex 32` writes such"
        )
    if value and name == "status_token" and not (value.isascii() and value.isprintable() and " " not in value):
        problems.append(f"{variable} must be visible ASCII, as it is sent in a header")
    return value


def _number(name: str, text: str, least: float, most: float, problems: list[str]) -> float:
    try:
        value = float(text) if name.endswith("_s") else int(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        problems.append(f"{PREFIX}{name.upper()} must be a number from {least:g} to {most:g}")
    return value


def _folder(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _own_base() -> Path | None:
    """The base that this release lies in: BASE/releases/COMMIT/deployhook/settings.py."""
    releases = Path(__file__).resolve().parents[2]
    return releases.parent if releases.name == "releases" else None


def _dotenv(path: Path) -> dict[str, str]:
    """The lines of a `.env` file that are for the hook; quotes around a value are taken off."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {match[1]: match[2] for line in lines if (match := _LINE.fullmatch(line))}
    return {name: _unquoted(value) for name, value in found.items()}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.sub(r"\s+#.*$", "", value)
