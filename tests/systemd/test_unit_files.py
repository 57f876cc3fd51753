"""The unit files as they lie there: systemd finds nothing wrong, they confine, and their times fit the code's."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.settings import Settings
from daemon.web.server import BEAT_EVERY_S, STOP_S
from daemon.worker.heartbeat import EVERY_S
from tests.fakes.systemd import manager
from tests.fakes.unit_file import UnitFile, directives
from tests.processes import comes
from tests.source_tree import ROOT

FOLDER = ROOT / "systemd"
SERVICES = ("vix-api.service", "vix-worker.service", "vix-deployhook.service", "vix-deploy.service")
UNITS = (*SERVICES, "vix-deploy.path")
# The deploy is root, as it switches releases and restarts services.
MOST_EXPOSED = {**dict.fromkeys(SERVICES, 2.0), "vix-deploy.service": 2.1}
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here: the unit files were not checked by it"
)


def unit(name: str) -> UnitFile:
    return UnitFile.read(FOLDER / name)


def test_there_are_these() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(UNITS)


@needs_systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    programs = tmp_path / "opt/vix/current"
    programs.mkdir(parents=True)
    for name in ("vix", "deploy.sh"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for name in UNITS:
        text = (FOLDER / name).read_text().replace("=/opt/vix", f"={tmp_path}/opt/vix")
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    ours = [line for line in done.stderr.splitlines() if "vix-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_little_is_exposed(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / name)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert level, said
    assert float(level[1]) <= MOST_EXPOSED[name], said


@pytest.mark.parametrize("name", UNITS)
def test_each_block_of_directives_is_explained(name: str) -> None:
    lines = (FOLDER / name).read_text().splitlines()
    unexplained = [
        line
        for before, line in pairwise(lines)
        if "=" in line and not line.startswith(("#", "Description=")) and not (before.startswith("#") or "=" in before)
    ]
    assert unexplained == []
    assert len([line for line in lines if line.startswith("#")]) > len(lines) / 4


@pytest.mark.parametrize("name", SERVICES[:3])
def test_what_dies_is_started_again_and_what_cannot_work_is_not(name: str) -> None:
    one = unit(name)
    assert (one.one("Restart"), one.one("KillMode"), one.one("StartLimitIntervalSec")) == ("always", "mixed", "0")
    assert "2" in one.words("RestartPreventExitStatus")
    assert one.seconds("RestartSec", 0) >= 1


def test_times_fit_those_of_the_code() -> None:
    api, worker = unit("vix-api.service"), unit("vix-worker.service")
    assert api.seconds("WatchdogSec", 0) >= 5 * BEAT_EVERY_S
    assert worker.seconds("WatchdogSec", 0) >= 5 * EVERY_S
    assert api.seconds("TimeoutStopSec", 0) > STOP_S + 5
    stop_s = Settings.model_fields["stop_s"].default
    assert f"VIX_STOP_S={stop_s:g}" in worker.words("Environment")
    assert worker.seconds("TimeoutStopSec", 0) >= stop_s + 20  # as the supervisor grants it


def test_a_killed_child_does_not_end_its_service_and_all_fit_into_a_small_machine() -> None:
    for name in SERVICES[:2]:
        assert unit(name).one("OOMPolicy") == "continue"
    highest = [int(unit(name).one("MemoryHigh").removesuffix("M")) for name in SERVICES[:3]]
    assert sum(highest) <= 1024
    for name in SERVICES:
        one = unit(name)
        assert int(one.one("MemoryHigh")[:-1]) < int(one.one("MemoryMax")[:-1]) < 1024


def test_secrets_come_as_credentials_alone() -> None:
    for name in SERVICES:
        one = unit(name)
        given = dict(word.split("=", 1) for word in one.words("Environment"))
        secret = {key: value for key, value in given.items() if re.search("SECRET|KEY_FILE|KEY$|TOKEN", key)}
        files = {f"/run/credentials/{name}/{line.partition(':')[0]}" for line in one.values.get("LoadCredential", [])}
        assert set(secret.values()) == files
        assert all(key.endswith("_FILE") for key in secret)


def test_ffmpeg_may_still_confine_itself() -> None:
    for name in SERVICES[:2]:
        filters = " ".join(unit(name).values["SystemCallFilter"])
        for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
            assert f" {call}" in filters
        assert "~@privileged" in filters
        assert "@resources" not in filters


def test_who_is_told_nothing_is_no_watchdogs_business() -> None:
    for name in SERVICES:
        sections = {key: section for section, key, _ in directives((FOLDER / name).read_text())}
        assert sections["StartLimitIntervalSec"] == "Unit"  # elsewhere systemd ignores it
        if unit(name).one("WatchdogSec"):
            assert (unit(name).one("Type"), unit(name).one("NotifyAccess")) == ("notify", "main")


def test_the_stand_in_hears_the_main_process_alone(tmp_path: Path) -> None:
    """A child that says that it lives must not keep its hanging parent alive."""
    units = tmp_path / "units"
    units.mkdir()
    script = tmp_path / "service.py"
    script.write_text(
        "import os, socket, sys, time\n"
        "def say(text):\n"
        "    way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "    way.sendto(text, os.environ['NOTIFY_SOCKET'])\n"
        "if os.fork() == 0:\n"
        "    while True:\n"
        "        say(b'WATCHDOG=1'); time.sleep(0.05)\n"
        "say(b'READY=1')\n"
        "time.sleep(1000)\n"
    )
    (units / "x.service").write_text(
        f"[Service]\nType=notify\nExecStart={shutil.which('python3')} {script}\nWatchdogSec=500ms\n"
        f"WorkingDirectory={tmp_path}\nRestart=always\nRestartSec=0\n"
    )
    with manager(units, tmp_path) as machine:
        service = machine.start("x.service")
        first = service.pid
        assert comes(lambda: service.restarts > 0)
        assert service.watchdog_kills >= 1
        assert first not in service.processes()
