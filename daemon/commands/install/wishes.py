"""What the operator wants, from the command line or as it was the last time, and what is wrong with it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daemon.commands.install.facts import Facts

LAN_PORT = 8088
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_BRANCH = re.compile(r"(?!.*(\.\.|//|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._/-]{0,200}(?<![/.])")
_REPOSITORY = re.compile(r"(?:^|/)([A-Za-z0-9][A-Za-z0-9-]{0,99})/([A-Za-z0-9._-]{1,100}?)(\.git)?/?$")
_BY_SSH = re.compile(r"ssh://|[\w.-]+@[\w.-]+:")
_LEAST_MEMORY_MB, _LEAST_FREE_MB, _FREE_LATER_MB = 700, 2500, 300


@dataclass(frozen=True, slots=True)
class Wishes:
    """A `domain`, or else a `port` in the local network; where releases come from."""

    domain: str = ""
    port: int = LAN_PORT
    repo: str = ""
    branch: str = "main"
    email: str = ""

    @property
    def repository(self) -> str:
        """`owner/name`, as the hook wants it; empty where the URL does not end so."""
        found = _REPOSITORY.search(self.repo.replace(":", "/"))
        return f"{found[1]}/{found[2]}" if found else ""

    @property
    def is_by_ssh(self) -> bool:
        return bool(_BY_SSH.match(self.repo))

    @property
    def packages(self) -> tuple[str, ...]:
        """What has to be installed of Debian's."""
        needed = ("ca-certificates", "curl", "git", "nginx", "python3-venv")
        return (*needed, *(["certbot"] if self.domain else []), *(["openssh-client"] if self.is_by_ssh else []))


def settle(given: dict[str, str | int | None], facts: Facts, origin: str) -> Wishes:
    """What was given, else what was wished for the last time, else what goes without saying; `origin` is the remote
    of the clone that this runs from."""
    url = facts.setting("VIX_PUBLIC_URL", "vix")
    before = re.search(r"listen (\d+)", facts.files.get("/etc/nginx/sites-enabled/vix.conf", ""))
    domain = given["domain"] or (url.removeprefix("https://") if url and not given["port"] else "")
    return Wishes(
        domain=str(domain).lower().rstrip("./"),
        port=int(given["port"] or (before[1] if before and not url else LAN_PORT)),
        repo=str(given["repo"] or facts.setting("VIX_DEPLOY_REMOTE", "deploy") or origin),
        branch=str(given["branch"] or facts.setting("VIX_DEPLOY_BRANCH", "deploy") or "main"),
        email=str(given["email"] or ""),
    )


def problems(wishes: Wishes, facts: Facts) -> list[str]:
    """Why nothing can be begun: one sentence each, with what to do."""
    found = []
    if not facts.is_root:
        return ["this has to be run by root: sudo ./vix install"]
    if facts.family != "debian":
        found.append(
            f"this is for Debian and Ubuntu, and this is {facts.family}; the README says how it is done by hand"
        )
    if not facts.has_systemd:
        found.append("systemd does not run this machine (a container?); ./vix up runs Vix without it")
    if facts.memory_mb < _LEAST_MEMORY_MB:
        found.append(f"there are {facts.memory_mb} MB of memory and swap; {_LEAST_MEMORY_MB} are needed: add swap")
    least = _FREE_LATER_MB if facts.is_live else _LEAST_FREE_MB
    if facts.free_mb < least:
        found.append(f"there are {facts.free_mb} MB free below /opt; {least} are needed")
    if wishes.domain and not _DOMAIN.fullmatch(wishes.domain):
        found.append(f"--domain {wishes.domain}: is no name such as films.example.org")
    for port in (80, 443) if wishes.domain else (wishes.port,):
        if facts.listening.get(port, "nginx") != "nginx":
            found.append(f"port {port} is taken by {facts.listening[port]}: stop that, or choose another --port")
    found += _about_the_repository(wishes)
    found += [f"{path} cannot be used as it is: put the right one there, or remove it" for path in facts.faulty]
    return found


def _about_the_repository(wishes: Wishes) -> list[str]:
    if not wishes.repo:
        return ["say where releases come from: --repo https://github.com/OWNER/NAME"]
    if wishes.repo.startswith("-") or re.search(r"\s", wishes.repo):
        return ["--repo: is no URL of a repository"]
    if re.match(r"https?://[^/]*@", wishes.repo):
        return ["--repo: it holds a password, which all on this machine could read; use git@github.com:OWNER/NAME.git"]
    if not wishes.repository:
        return ["--repo: must end with OWNER/NAME, as at GitHub"]
    if not _BRANCH.fullmatch(wishes.branch):
        return [f"--branch {wishes.branch}: is no name of a branch"]
    return []
