"""What is to be known about a server before anything is done to it, and how it is found out. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.commands.install.machine import Machine

USERS = {"vix": "/var/lib/vix", "vix-deploy": "/var/lib/vix-deploy"}
"""Accounts, each with a group of its own, and their homes."""
WEB_USER = "www-data"
UNITS = ("vix-api.service", "vix-worker.service", "vix-deployhook.service", "vix-deploy.service", "vix-deploy.path")
STARTED = ("vix-api.service", "vix-worker.service", "vix-deployhook.service", "vix-deploy.path")
SECRETS = {"master-key": "words", "secret": "hex", "vault-key": "fernet", "webhook-secret": "hex"}
ETC, OPT, CACHE = "/etc/vix", "/opt/vix", "/var/cache/vix-deploy"
SITE, DEFAULT_SITE = "/etc/nginx/sites-enabled/vix.conf", "/etc/nginx/sites-enabled/default"
COMMAND = "/usr/local/bin/vix"
ENVIRONMENTS = {name: f"{ETC}/{name}.env" for name in ("vix", "deploy", "deployhook")}
_FORMS = {"words": r"[ -~]{24,}", "hex": r"[0-9a-fA-F]{64}", "fernet": r"([A-Za-z0-9_-]{43}=[\s,]*)+"}
_WORDS_OF_ANY = r"[ -~]{16,}"


@dataclass(frozen=True, slots=True)
class Facts:
    """A server as it is. `files` are the texts of those that Vix would write; `listening` names the program at each
    port; `faulty` are secrets that are there and cannot be used."""

    is_root: bool = True
    has_systemd: bool = True
    family: str = "debian"
    memory_mb: int = 4096
    free_mb: int = 50_000
    has_ipv6: bool = True
    listening: Mapping[int, str] = field(default_factory=dict)
    packages: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    web_groups: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    faulty: tuple[str, ...] = ()
    active: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()
    is_live: bool = False
    is_there: frozenset[str] = frozenset()

    def setting(self, name: str, of: str) -> str:
        """A variable of one of Vix's environment files; empty where it is not set."""
        found = re.findall(rf"^{name}=(.*)$", self.files.get(ENVIRONMENTS[of], ""), re.MULTILINE)
        return found[-1].strip("\"'") if found else ""


def gather(machine: Machine, packages: tuple[str, ...]) -> Facts:
    """Look at a server; of packages, at those that are named."""
    paths = [SITE, COMMAND, *ENVIRONMENTS.values(), *(f"/etc/systemd/system/{name}" for name in UNITS)]
    texts = {path: text for path in paths if (text := machine.read(path)) is not None}
    folders = [ETC, OPT, CACHE, *(f"{ETC}/{name}" for name in SECRETS)]
    modes = {path: mode for path in [*texts, *folders] if (mode := machine.mode(path)) is not None}
    others = [DEFAULT_SITE, f"{ETC}/deploy-key", *USERS.values(), f"{OPT}/backups"]
    return Facts(
        is_root=machine.is_root,
        has_systemd=machine.exists("/run/systemd/system"),
        family=_family(machine.read("/etc/os-release") or ""),
        memory_mb=_memory_mb(machine.read("/proc/meminfo") or ""),
        free_mb=machine.free_mb("/opt"),
        has_ipv6=bool(machine.read("/proc/net/if_inet6")),
        listening=_listening(machine.ask("ss", "-Hltnp")),
        packages=_installed(machine, packages),
        users=frozenset(name for name in [*USERS, WEB_USER] if machine.ask("id", "-u", name).strip()),
        web_groups=frozenset(machine.ask("id", "-Gn", WEB_USER).split()),
        files=texts,
        modes=modes,
        faulty=tuple(_faulty(machine)),
        active=_of_units(machine, "is-active"),
        enabled=_of_units(machine, "is-enabled"),
        certificates=frozenset(machine.names("/etc/letsencrypt/live")),
        is_live=machine.exists(f"{OPT}/current/vix"),
        is_there=frozenset(path for path in others if machine.exists(path)),
    )


def _family(text: str) -> str:
    words = " ".join(re.findall(r'^(?:ID|ID_LIKE)="?([^"\n]*)', text, re.MULTILINE)).split()
    return "debian" if {"debian", "ubuntu"} & set(words) else (words or ["unknown"])[0]


def _memory_mb(text: str) -> int:
    found = dict(re.findall(r"^(MemTotal|SwapTotal):\s+(\d+) kB", text, re.MULTILINE))
    return sum(map(int, found.values())) // 1024


def _listening(text: str) -> dict[int, str]:
    """Ports and programs of `ss -Hltnp`; those at loopback alone do not count."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 3 and not fields[3].startswith(("127.", "[::1]")):
            port = fields[3].rpartition(":")[2]
            program = re.search(r'\(\("([^"]+)"', line)
            if port.isdecimal():
                found[int(port)] = program[1] if program else "another program"
    return found


def _installed(machine: Machine, names: tuple[str, ...]) -> frozenset[str]:
    said = machine.ask("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *names)
    return frozenset(line.split()[0] for line in said.splitlines() if line.split()[1:2] == ["ii"])


def _of_units(machine: Machine, question: str) -> frozenset[str]:
    names = [*UNITS, "nginx.service"]
    said = machine.ask("systemctl", question, *names).split()
    return frozenset(
        name for name, word in zip(names, said, strict=False) if word in ("active", "activating", "enabled")
    )


def _faulty(machine: Machine) -> list[str]:
    found = []
    for name, kind in SECRETS.items():
        text = machine.read(f"{ETC}/{name}")
        form = _WORDS_OF_ANY if name == "webhook-secret" else _FORMS[kind]
        if text is not None and not re.fullmatch(form, text.strip()):
            found.append(f"{ETC}/{name}")
    return found
