"""`deploy.sh` as its unit starts it, within all that the unit refuses."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.deployhook.yard import LONG_S, open_yard
from tests.fakes.systemd import manager
from tests.processes import comes
from tests.source_tree import ROOT

CAN = bool(shutil.which("systemd-analyze") and ctypes.util.find_library("seccomp"))


@pytest.mark.parametrize(
    "is_confined", [False, pytest.param(True, marks=pytest.mark.skipif(not CAN, reason="no filter"))]
)
def test_a_request_deploys_under_the_units(is_confined: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="vix") as folder:
        root = Path(folder)
        for name in ("opt/vix", "etc/vix", "var/lib/vix-deploy", "var/lib/vix", "run", "yard"):
            (root / name).mkdir(parents=True)
        with open_yard(root / "yard", root / "opt/vix") as yard:
            yard.deploy()
            with closing(sqlite3.connect(root / "var/lib/vix/vix.db")) as database:
                database.execute("CREATE TABLE job (id)")
            (root / "etc/vix/deploy.env").write_text(f"PATH={os.environ['PATH']}\nVIX_SOCKET=\n")
            request = root / "var/lib/vix-deploy/request"
            tip = yard.push()
            with manager(ROOT / "systemd", root, is_confined=is_confined) as machine:
                deploy = machine.start("vix-deploy.path")
                request.write_text("{}")
                assert comes(lambda: deploy.ended_with, LONG_S)
                assert deploy.ended_with == [0], deploy.log.read_text() + yard.log()
            # The service itself, a child of the stand-in for systemctl, ends with the unit here.
            assert yard.live() == tip
            assert (yard.last()["outcome"], yard.last()["asked_by"]) == ("done", "request")
            assert not request.exists()
            assert len(list((yard.base / "backups").iterdir())) == 1
