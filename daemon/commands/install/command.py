"""`vix install`: asks for facts, shows or does the plan, and says at the end what to put where."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.commands.install import facts as known
from daemon.commands.install.facts import COMMAND, ETC, OPT, UNITS, gather
from daemon.commands.install.machine import Machine
from daemon.commands.install.plan import Sources, health, install, uninstall
from daemon.commands.install.steps import MakeSecret, Step
from daemon.commands.install.wishes import Wishes, problems, settle
from daemon.errors import SettingsError

_PROGRAM = Path(__file__).resolve().parents[3]
_ALL_PACKAGES = ("ca-certificates", "certbot", "curl", "git", "nginx", "openssh-client", "python3-venv")
_SITES = ("vix.conf", "vix-local.conf", "vix-first.conf")


@click.command("install")
@click.option("--domain", help="The name that leads to this server; it gets a certificate. Without it: a LAN's --port.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port for the local network, without a domain.")
@click.option("--repo", help="URL of the repository that is deployed; by default that of this clone.")
@click.option("--branch", help="Its branch; by default main.")
@click.option("--email", help="Where Let's Encrypt writes to when a certificate is about to end.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--uninstall", "is_over", is_flag=True, help="Remove program, units and site; data and keys stay.")
@click.option("--root", type=click.Path(path_type=Path), default=Path("/"), hidden=True)
def install_command(
    domain: str | None,
    port: int | None,
    repo: str | None,
    branch: str | None,
    email: str | None,
    dry_run: bool,
    is_over: bool,
    root: Path,
) -> None:
    """Make this Debian or Ubuntu server one that runs Vix and deploys every push. Run again, it repairs."""
    if domain and port:
        raise click.UsageError("a server has a --domain or a --port")
    machine = Machine(root)
    facts = gather(machine, _ALL_PACKAGES)
    if is_over:
        if not machine.is_root:
            raise SettingsError("this has to be run by root: sudo ./vix install --uninstall")
        _perform(machine, uninstall(facts), dry_run)
        if not dry_run:
            _say_what_is_left(machine)
        return
    words = {"domain": domain, "repo": repo, "branch": branch, "email": email}
    wishes = settle(
        {**words, "port": port}, facts, machine.ask("git", "-C", str(_PROGRAM), "remote", "get-url", "origin").strip()
    )
    if found := problems(wishes, facts):
        raise SettingsError("; ".join(found))
    steps = install(wishes, facts, _sources())
    _perform(machine, steps, dry_run)
    if not dry_run:
        machine.do(health(wishes))
        _say_where_what_is(machine, wishes, {step.path for step in steps if isinstance(step, MakeSecret)})


def _sources() -> Sources:
    """Read what is copied, before anything can take it away."""
    return Sources(
        {name: (_PROGRAM / "systemd" / name).read_text() for name in UNITS},
        {name: (_PROGRAM / "nginx" / name).read_text() for name in _SITES},
        Path(__file__).with_name("vix.sh").read_text(),
        str(_PROGRAM / "deploy.sh"),
    )


def _perform(machine: Machine, steps: list[Step], is_dry: bool) -> None:
    if not steps:
        click.echo("Everything is as it should be.")
    for step in steps:
        click.echo(f"{'would ' if is_dry else '== '}{step}")
        if not is_dry:
            machine.do(step)


def _say_where_what_is(machine: Machine, wishes: Wishes, made: set[str]) -> None:
    address = (machine.ask("hostname", "-I").split() or ["127.0.0.1"])[0]
    url = f"https://{wishes.domain}" if wishes.domain else f"http://{address}:{wishes.port}"
    click.echo(f"\nVix runs at {url} ({url}/docs says how it is used).\n")
    if key := _first_key(machine):
        click.echo(f"API key, shown this once: {key}")
    else:
        click.echo("API keys: `sudo vix keys list`; `sudo vix keys create NAME` makes another.")
    master = f"{ETC}/master-key"
    if master in made:
        click.echo(f"Master key for /admin, shown this once: {_secret(machine, master)}")
    click.echo(f"Master key, secret and vault key are in {ETC}, for root alone: keep copies of them elsewhere.")
    hook = f"{ETC}/webhook-secret"
    secret = _secret(machine, hook) if hook in made else f"as before, in {hook}"
    click.echo(
        f"\nAt GitHub, {wishes.repository}: Settings, Webhooks, Add webhook\n"
        f"  Payload URL   {url}/deploy/github\n"
        f"  Content type  application/json\n"
        f"  Secret        {secret}\n"
        f"  Events        Just the push event\n"
        f"From then on every push to {wishes.branch} is deployed."
    )
    if not wishes.domain:
        click.echo("GitHub does not reach a local network: pushes are found within five minutes instead.")


def _first_key(machine: Machine) -> str:
    """Make a key where there is none at all."""
    if machine.ask(COMMAND, "keys", "list").strip():
        return ""
    return (machine.ask(COMMAND, "keys", "create", "first").split() or [""])[-1]


def _secret(machine: Machine, path: str) -> str:
    return (machine.read(path) or "").strip()


def _say_what_is_left(machine: Machine) -> None:
    left = {
        ETC: "master key, secret, vault key and settings",
        known.USERS["vix"]: "jobs, keys, films and the library",
        known.USERS["vix-deploy"]: "what is known of pushes",
        f"{OPT}/backups": "copies of the database",
    }
    click.echo("Program, units and site are gone. These stay, and so do the accounts vix and vix-deploy:")
    for path, what in left.items():
        if machine.exists(path):
            click.echo(f"  {path}: {what}")
