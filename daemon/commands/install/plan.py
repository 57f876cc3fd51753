"""From what a server is to what it has to become: a list of steps, of which nothing that is good is one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from daemon.commands.install import facts as known
from daemon.commands.install.facts import CACHE, COMMAND, DEFAULT_SITE, ENVIRONMENTS, ETC, OPT, SITE, Facts
from daemon.commands.install.steps import MakeFolder, MakeSecret, Remove, Run, Step, WriteFile
from daemon.commands.install.wishes import Wishes

_APT = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"}
_KEY = f"{ETC}/deploy-key"
_SSH = f"ssh -oBatchMode=yes -i {_KEY} -oUserKnownHostsFile={CACHE}/known_hosts -oStrictHostKeyChecking=accept-new"
_FOLDERS = {ETC: 0o700, OPT: 0o755, CACHE: 0o700}
# Where the secrets of a Vix that ran here without this are.
_KNOWN_SECRETS = {"secret": "/var/lib/vix/secret", "vault-key": "/var/lib/vix/vault.key"}
_FIRST_HEALTH_S = 900  # the worker makes the starter clips first
_RELOAD = Run(("systemctl", "reload-or-restart", "nginx"), "`nginx -t` says what is wrong with it")
_CHECK = Run(("nginx", "-t", "-q"))


@dataclass(frozen=True, slots=True)
class Sources:
    """What is copied from the program: units and sites by name, the command, and where `deploy.sh` is."""

    units: Mapping[str, str]
    sites: Mapping[str, str]
    command: str
    deploy: str


def install(wishes: Wishes, facts: Facts, sources: Sources) -> list[Step]:
    """The steps to what is wished for. Run again, only what is missing or differs."""
    texts = environments(wishes, facts)
    ground: list[Step] = [*_packages(wishes, facts), *_accounts(facts), *_folders(facts), *_secrets(facts)]
    files = [*_different(texts, facts, 0o600), *_different({COMMAND: sources.command}, facts, 0o755)]
    units = _different({f"/etc/systemd/system/{name}": text for name, text in sources.units.items()}, facts)
    reload: list[Step] = [Run(("systemctl", "daemon-reload"))] if units else []
    changed = {step.path for step in (*files, *units)}
    return [
        *ground,
        *files,
        *_reach(wishes, facts),
        *_certificate(wishes, facts, sources),
        *units,
        *reload,
        *_services(wishes, facts, sources, changed),
        *_site(wishes, facts, sources, joined=any("usermod" in str(step) for step in ground)),
    ]


def uninstall(facts: Facts) -> list[Step]:
    """Program, units and site go; data, keys, accounts, certificates and packages stay."""
    there = [name for name in known.UNITS if f"/etc/systemd/system/{name}" in facts.files]
    steps: list[Step] = []
    if there:
        steps.append(Run(("systemctl", "disable", "--now", *there)))
        steps += [Remove(f"/etc/systemd/system/{name}") for name in there]
        steps.append(Run(("systemctl", "daemon-reload")))
    if SITE in facts.files:
        steps += [Remove(SITE), _RELOAD]
    steps += [Remove(path) for path in (COMMAND,) if path in facts.files]
    if OPT in facts.modes:
        steps.append(Remove(OPT, but=("backups",)))
    return [*steps, *([Remove(CACHE)] if CACHE in facts.modes else [])]


def health(wishes: Wishes) -> Run:
    """Ask for its health as everybody would, by Nginx."""
    ask = ("curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--max-time", "20")
    here = ("--resolve", f"{wishes.domain}:443:127.0.0.1", f"https://{wishes.domain}/health")
    where = here if wishes.domain else (f"http://127.0.0.1:{wishes.port}/health",)
    return Run((*ask, *where), "`journalctl -u vix-api -u vix-worker -n 50` says more", again_s=90)


def environments(wishes: Wishes, facts: Facts) -> dict[str, str]:
    """The environment files with the variables that are wished for; other lines stay."""
    wanted: dict[str, dict[str, str]] = {
        "vix": {"VIX_PUBLIC_URL": f"https://{wishes.domain}" if wishes.domain else ""},
        "deploy": {
            "VIX_DEPLOY_REMOTE": wishes.repo,
            "VIX_DEPLOY_BRANCH": wishes.branch,
            "GIT_SSH_COMMAND": _SSH if wishes.is_by_ssh else "",
        },
        "deployhook": {"VIX_HOOK_REPOSITORY": wishes.repository, "VIX_HOOK_BRANCH": wishes.branch},
    }
    first = {
        "vix": "# Settings of API and worker: a restart of both makes them count. README lists all of them.\n",
        "deploy": "# Settings of deploy.sh; `/opt/vix/current/deploy.sh --help` lists them.\n",
        "deployhook": "# Settings of what hears of pushes; README lists them.\n",
    }
    return {path: _with_lines(facts.files.get(path, first[name]), wanted[name]) for name, path in ENVIRONMENTS.items()}


def site(wishes: Wishes, facts: Facts, sources: Sources, *, first: bool = False) -> str:
    """The text of the site, for a machine that may be without IPv6."""
    name = ("vix-first.conf" if first else "vix.conf") if wishes.domain else "vix-local.conf"
    text = sources.sites[name].replace("@DOMAIN@", wishes.domain).replace("@PORT@", str(wishes.port))
    return text if facts.has_ipv6 else re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.MULTILINE)


def _packages(wishes: Wishes, facts: Facts) -> Iterator[Step]:
    if missing := [name for name in wishes.packages if name not in facts.packages]:
        yield Run((*_APT, "update"), "Is there a network?", _QUIET, limit_s=900)
        yield Run((*_APT, "install", "-y", "--no-install-recommends", *missing), "", _QUIET, limit_s=1800)


def _accounts(facts: Facts) -> Iterator[Step]:
    made = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "--home-dir")
    for name, home in known.USERS.items():
        if name not in facts.users:
            yield Run((*made, home, name))
    # As a member it opens their sockets and reads films.
    if not set(known.USERS) <= facts.web_groups:
        yield Run(("usermod", "-aG", ",".join(known.USERS), known.WEB_USER))


def _folders(facts: Facts) -> Iterator[Step]:
    yield from (MakeFolder(path, mode) for path, mode in _FOLDERS.items() if facts.modes.get(path) != mode)


def _secrets(facts: Facts) -> Iterator[Step]:
    for name, kind in known.SECRETS.items():
        if facts.modes.get(path := f"{ETC}/{name}") != 0o600:
            yield MakeSecret(path, kind, _KNOWN_SECRETS.get(name, ""))


def _reach(wishes: Wishes, facts: Facts) -> Iterator[Step]:
    """See early that the repository can be had."""
    if facts.is_live and facts.setting("VIX_DEPLOY_REMOTE", "deploy") == wishes.repo:
        return
    variables = {"GIT_TERMINAL_PROMPT": "0"}
    remedy = f"Is that its URL, is it public, and is there a branch {wishes.branch}?"
    if wishes.is_by_ssh:
        variables["GIT_SSH_COMMAND"] = _SSH
        remedy = f"Add the key in {_KEY}.pub to the repository's deploy keys, then type the same command again"
        if _KEY not in facts.is_there:
            yield Run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vix", "-f", _KEY))
    heads = f"refs/heads/{wishes.branch}"
    yield Run(("git", "ls-remote", "--exit-code", wishes.repo, heads), remedy, variables, limit_s=120)


def _certificate(wishes: Wishes, facts: Facts, sources: Sources) -> Iterator[Step]:
    """By a site that only answers certbot, as the real one does not start without it."""
    if not wishes.domain or wishes.domain in facts.certificates:
        return
    mail = ("--email", wishes.email) if wishes.email else ("--register-unsafely-without-email",)
    yield Remove(DEFAULT_SITE)
    yield MakeFolder("/var/www/html", 0o755)
    yield WriteFile(SITE, site(wishes, facts, sources, first=True))
    yield from (_CHECK, _RELOAD)
    yield Run(
        (
            *("certbot", "certonly", "--webroot", "-w", "/var/www/html", "-d", wishes.domain, *mail, "--agree-tos"),
            *("--non-interactive", "--keep-until-expiring", "--deploy-hook", "systemctl reload nginx"),
        ),
        f"Does {wishes.domain} lead to this server, and do ports 80 and 443 get through its firewall?",
        limit_s=600,
    )


def _services(wishes: Wishes, facts: Facts, sources: Sources, changed: set[str]) -> Iterator[Step]:
    if to_enable := [name for name in known.STARTED if name not in facts.enabled]:
        yield Run(("systemctl", "enable", *to_enable))
    pair = ("vix-api.service", "vix-worker.service")
    if not facts.is_live:
        yield _first_release(wishes, sources)
    else:
        of_pair = {f"/etc/systemd/system/{name}" for name in pair} | {ENVIRONMENTS["vix"]}
        stopped = pair if of_pair & changed else tuple(name for name in pair if name not in facts.active)
        if stopped:
            yield Run(
                ("systemctl", "restart", *stopped), "`journalctl -u vix-api -u vix-worker` says more", limit_s=960
            )
    hook = {ENVIRONMENTS["deployhook"], "/etc/systemd/system/vix-deployhook.service"}
    if hook & changed or "vix-deployhook.service" not in facts.active:
        yield Run(("systemctl", "restart", "vix-deployhook.service"), "`journalctl -u vix-deployhook` says more")
    if "/etc/systemd/system/vix-deploy.path" in changed or "vix-deploy.path" not in facts.active:
        yield Run(("systemctl", "restart", "vix-deploy.path"))


def _first_release(wishes: Wishes, sources: Sources) -> Step:
    """By the program that does all later ones. It only asks for the restart, and waits for the health: the worker's
    first start takes longer than any other."""
    variables = {
        "HOME": CACHE,
        "VIX_DATA": "/var/lib/vix",
        "VIX_SOCKET": "/run/vix/api/socket",
        "VIX_DEPLOY_REQUEST": "/var/lib/vix-deploy/request",
        "VIX_DEPLOY_REMOTE": wishes.repo,
        "VIX_DEPLOY_BRANCH": wishes.branch,
        "VIX_DEPLOY_RESTART": "systemctl --no-block restart vix-api vix-worker",
        "VIX_DEPLOY_HEALTH_S": str(_FIRST_HEALTH_S),
        "VIX_DEPLOY_ALERT": "",
        **({"GIT_SSH_COMMAND": _SSH} if wishes.is_by_ssh else {}),
    }
    remedy = f"The newest log in {OPT}/deploys says more, and journalctl -u vix-api -u vix-worker"
    return Run((sources.deploy, "--base", OPT), remedy, variables, limit_s=3600, talks=True)


def _site(wishes: Wishes, facts: Facts, sources: Sources, *, joined: bool) -> Iterator[Step]:
    steps: list[Step] = []
    if DEFAULT_SITE in facts.is_there or "nginx" not in facts.packages:
        steps.append(Remove(DEFAULT_SITE))
    steps += _different({SITE: site(wishes, facts, sources)}, facts)
    if "nginx.service" not in facts.enabled:
        steps.append(Run(("systemctl", "enable", "nginx.service")))
    if steps or joined or "nginx.service" not in facts.active:
        yield from (*steps, _CHECK, _RELOAD)


def _different(texts: Mapping[str, str], facts: Facts, mode: int = 0o644) -> list[WriteFile]:
    """Files that are not there as they should be."""
    return [
        WriteFile(path, text, mode)
        for path, text in texts.items()
        if facts.files.get(path) != text or facts.modes.get(path) != mode
    ]


def _with_lines(text: str, variables: Mapping[str, str]) -> str:
    """Set variables in the text of an environment file; an empty value takes one away."""
    lines: Sequence[str] = text.splitlines()
    for name, value in variables.items():
        lines = [line for line in lines if not line.startswith(f"{name}=") or line == f"{name}={value}"]
        if value and f"{name}={value}" not in lines:
            lines = [*lines, f"{name}={value}"]
    return "".join(f"{line}\n" for line in lines)
