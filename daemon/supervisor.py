"""Runs the service's processes side by side: starts them, starts again what died or hangs, stops all. Knows only
commands, and whom to ask whether one hangs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from signal import Signals

from daemon.signals import ASK, HURRY, on_stop
from render.sandbox import Child

_log = logging.getLogger(__name__)

_POLL_S = 0.2
# A process that lives this long has started well, and its next death is a first one again.
_STEADY_S = 60.0
_WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0)
# Exit codes that starting again cannot mend: wrong usage, another worker, and what has to be set up differently.
_FINAL = (2, 3, os.EX_CONFIG)
_GRACE_S = 10.0

Hangs = Callable[[str, int], bool]
"""`hangs(name, pid)`: whether that process has to be killed to be of use again. Asked often, so it must be quick."""


def _never(name: str, pid: int) -> bool:
    return False


class _Child:
    """One process, started again after it died, more slowly each time."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None, hangs: Hangs) -> None:
        self.name = name
        self._hangs = hangs
        self._command = list(command)
        self._env = dict(env) if env is not None else None
        self._deaths = 0
        self._start_at = 0.0
        self._started_at = 0.0
        self._killed = False
        self.process: Child | None = None

    def tend(self) -> int | None:
        """Start it where it is due; answers its exit code where it ended for good."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                # A session of its own: Ctrl-C reaches only this process, which then asks each child once.
                self.process = Child(self._command, env=self._env)
                self._started_at = now
                self._killed = False
            return None
        code = self.process.poll()
        if code is None:
            if not self._killed and self._hangs(self.name, self.process.pid):
                self._killed = True
                _log.error("A process hangs and is killed.", extra={"action": "hangs", "child": self.name})
                self.process.kill()
            return None
        self.process.end()
        self.process = None
        if code in _FINAL:
            return code
        self._deaths = 0 if now - self._started_at > _STEADY_S else self._deaths + 1
        wait_s = _WAITS_S[min(self._deaths, len(_WAITS_S) - 1)]
        self._start_at = now + wait_s
        _log.error(
            "A process died and is started again.",
            extra={"action": "died", "child": self.name, "code": code, "in_s": wait_s},
        )
        return None

    def send(self, number: Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


def supervise(
    commands: Mapping[str, Sequence[str]],
    stop_s: float,
    env: Mapping[str, str] | None = None,
    hangs: Hangs = _never,
) -> int:
    """Keep all commands running until a signal asks to stop or one says that it cannot run; returns an exit code.

    One of which `hangs` says that it hangs is killed and started again.
    On a signal each gets `ASK` and `stop_s` plus a few seconds to end before it is killed; on a second one they get
    `HURRY`.
    """
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1

    children = [_Child(name, command, env, hangs) for name, command in commands.items()]
    with on_stop(ask):
        while not asked:
            for child in children:
                if (code := child.tend()) is not None:
                    _stop(children, stop_s, lambda: asked)
                    return code
            time.sleep(_POLL_S)
        _log.info(
            "Stopping: a running film may finish first; asking again stops it at once.",
            extra={"action": "stopping", "within_s": stop_s},
        )
        _stop(children, stop_s, lambda: asked)
        return 0


def _stop(children: list[_Child], stop_s: float, asked: Callable[[], int]) -> None:
    """Ask every child to stop, hurry it when a second signal comes, and kill what stays."""
    told = 0
    deadline = time.monotonic() + stop_s + _GRACE_S
    while any(child.process is not None and child.process.poll() is None for child in children):
        for number in (ASK, HURRY)[told : max(1, asked())]:
            told += 1
            for child in children:
                child.send(number)
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.kill()
            child.process.wait()
