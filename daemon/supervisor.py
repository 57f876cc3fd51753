"""Runs the service's processes side by side: starts them, starts again what died or hangs, stops all. Knows only
commands, and whom to ask whether one hangs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from signal import Signals

from daemon.signals import ASK, HURRY, on_stop
from render.sandbox import Child

_log = logging.getLogger(__name__)

_POLL_S = 0.2
# A process that lives this long has started well, and its next death is a first one again.
_STEADY_S = 60.0
_WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0)
# Exit codes that starting again cannot mend: wrong usage, another worker, and what has to be set up differently. A
# process that has run well was set up rightly, so that the last of them is somebody's passing mistake then.
_FINAL = (2, 3, os.EX_CONFIG)
# More than a worker needs to put its film back while the database is slow, and then to end its threads.
_GRACE_S = 20.0

Hangs = Callable[[str, int], bool]
"""`hangs(name, pid)`: whether that process has to be killed to be of use again. Asked often, so it must be quick."""


def _never(name: str, pid: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Habits:
    """What is the same for all children."""

    env: Mapping[str, str] | None
    pass_fds: tuple[int, ...]
    hangs: Hangs
    waits_s: Sequence[float]
    steady_s: float


class _Child:
    """One process, started again after it died, more slowly each time."""

    def __init__(self, name: str, command: Sequence[str], habits: _Habits) -> None:
        self.name = name
        self._command = list(command)
        self._habits = habits
        self._deaths = 0
        self._start_at = 0.0
        self._started_at = 0.0
        self._has_run = False
        self._killed = False
        self.process: Child | None = None

    def tend(self) -> int | None:
        """Start it where it is due; answers its exit code where it ended for good."""
        if self.process is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return None
        code = self.process.poll()
        if code is None:
            self._kill_if_it_hangs(self.process)
            return None
        self.process.end()
        self.process = None
        return self._died(code)

    def send(self, number: Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _start(self) -> None:
        self._killed = False
        self._started_at = time.monotonic()
        try:
            # A session of its own: Ctrl-C reaches only this process, which then asks each child once.
            self.process = Child(self._command, env=self._habits.env, pass_fds=self._habits.pass_fds)
        except Exception as exc:  # no memory, no process number, no file left: the others must go on
            _log.error("A process cannot be started.", exc_info=exc, extra={"action": "no_start", "child": self.name})
            self._wait()

    def _kill_if_it_hangs(self, process: Child) -> None:
        if self._killed:
            return
        try:
            hangs = self._habits.hangs(self.name, process.pid)
        except Exception as exc:  # then nobody knows
            _log.error("Nobody knows whether it hangs.", exc_info=exc, extra={"action": "hangs", "child": self.name})
            return
        if hangs:
            self._killed = True
            _log.error("A process hangs and is killed.", extra={"action": "hangs", "child": self.name})
            process.kill()

    def _died(self, code: int) -> int | None:
        ran_well = time.monotonic() - self._started_at > self._habits.steady_s
        self._has_run = self._has_run or ran_well
        if code in _FINAL and not (code == os.EX_CONFIG and self._has_run):
            return code
        if ran_well:
            self._deaths = -1
        if code == os.EX_CONFIG:
            self._deaths = len(self._habits.waits_s)
        _log.error("A process died.", extra={"action": "died", "child": self.name, "code": code})
        self._wait()
        return None

    def _wait(self) -> None:
        """Start it again later, and the later the more often it has died in a row."""
        self._deaths += 1
        wait_s = self._habits.waits_s[min(self._deaths, len(self._habits.waits_s) - 1)]
        self._start_at = time.monotonic() + wait_s
        _log.info("It is started again.", extra={"action": "start_again", "child": self.name, "in_s": wait_s})


def supervise(
    commands: Mapping[str, Sequence[str]],
    stop_s: float,
    env: Mapping[str, str] | None = None,
    hangs: Hangs = _never,
    *,
    pass_fds: Sequence[int] = (),
    waits_s: Sequence[float] = _WAITS_S,
    steady_s: float = _STEADY_S,
) -> int:
    """Keep all commands running until a signal asks to stop or one says that it cannot run; returns an exit code.

    One of which `hangs` says that it hangs is killed and started again. `pass_fds` stay open in each. `waits_s` are
    the pauses before the first start again, the second and so on; one that lives for `steady_s` begins anew.
    On a signal each gets `ASK` and `stop_s` plus a few seconds to end before it is killed; on a second one they get
    `HURRY`.
    """
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1

    habits = _Habits(env, tuple(pass_fds), hangs, waits_s, steady_s)
    children = [_Child(name, command, habits) for name, command in commands.items()]
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
