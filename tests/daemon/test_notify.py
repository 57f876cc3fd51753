"""What systemd is told, as sd_notify(3) has it, and that nobody who does not listen can hold a service up."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import pytest

from daemon.notify import ALIVE, READY, STOPPING, notifier, told


def listening(name: str) -> socket.socket:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(name)
    ear.settimeout(10)
    return ear


@pytest.mark.parametrize("is_abstract", [False, True])
def test_each_state_is_one_datagram(tmp_path: Path, is_abstract: bool) -> None:
    address = f"@vix-test-{secrets.token_hex(8)}" if is_abstract else str(tmp_path / "notify")
    with listening(address.replace("@", "\0")) as ear:
        notify = notifier(address)
        with told(notify):
            notify(ALIVE)
        heard = [ear.recv(100).decode() for _ in range(3)]
    assert heard == [READY, ALIVE, STOPPING] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_end_is_told_of_whatever_it_is(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")) as ear:
        with pytest.raises(KeyError), told(notifier(str(tmp_path / "notify"))):
            raise KeyError
        assert [ear.recv(100) for _ in range(2)] == [READY.encode(), STOPPING.encode()]


def test_nobody_who_does_not_listen_is_waited_for(tmp_path: Path) -> None:
    for address in ("", "vsock:2:1234", str(tmp_path / "nobody")):
        notifier(address)(READY)
    with listening(str(tmp_path / "deaf")) as ear:
        notify = notifier(str(tmp_path / "deaf"))
        for _ in range(10_000):  # more than the kernel keeps for one
            notify(ALIVE)
        assert ear.recv(100) == ALIVE.encode()
