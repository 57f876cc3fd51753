"""Reads unit files as systemd.unit(5) and systemd.syntax(7) have it, as far as ours go. Starts nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_UNITS_S = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "min": 60, "h": 3600}
_LISTS_THAT_EMPTY = ""


@dataclass
class UnitFile:
    """The values of every directive, in order, without its section: no two sections share one that we use."""

    name: str
    values: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def read(path: Path, drop_in: str = "") -> UnitFile:
        """Read a file, and what a drop-in says after it."""
        unit = UnitFile(path.name)
        for text in (path.read_text(), drop_in):
            for _, key, value in directives(text):
                if value == _LISTS_THAT_EMPTY:
                    unit.values[key] = []
                else:
                    unit.values.setdefault(key, []).append(value.replace("%n", unit.name))
        return unit

    def one(self, key: str, default: str = "") -> str:
        """The last value, which is the one that holds."""
        return (self.values.get(key) or [default])[-1]

    def words(self, key: str) -> list[str]:
        """All values, each split as a command line is."""
        return [word for value in self.values.get(key, []) for word in shlex.split(value)]

    def is_on(self, key: str) -> bool:
        return self.one(key) in ("yes", "true", "on", "1")

    def seconds(self, key: str, default: float) -> float:
        """A span of time such as `90`, `15min` or `1min 30s`."""
        text = self.one(key)
        return (
            sum(float(n) * _UNITS_S[unit] for n, unit in re.findall(r"([\d.]+)\s*([a-z]*)", text)) if text else default
        )

    def system_calls(self) -> tuple[str, ...]:
        """The calls that SystemCallFilter= leaves; none where it is not used. Needs systemd-analyze."""
        left: set[str] = set()
        for value in self.values.get("SystemCallFilter", []):
            names = {call for name in value.removeprefix("~").split() for call in expanded(name)}
            left = left - names if value.startswith("~") else left | names
        return tuple(sorted(left))


def directives(text: str) -> Iterator[tuple[str, str, str]]:
    """Section, name and value of each line that is one."""
    section = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line.strip()):
            section = match[1]
        elif line.strip() and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


@cache
def expanded(name: str) -> frozenset[str]:
    """The calls of a set such as `@system-service`, as the installed systemd has it."""
    if not name.startswith("@"):
        return frozenset([name])
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    members = [line.strip() for line in said.splitlines() if line.startswith("    ") and "#" not in line]
    return frozenset(call for member in members for call in expanded(member))
