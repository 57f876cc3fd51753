"""What can be done to a server, as plain values. Knows no server, and does nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """A folder of root's; one that is there gets the mode."""

    path: str
    mode: int

    def __str__(self) -> str:
        return f"make the folder {self.path} ({self.mode:04o})"


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file of root's, whole or not at all."""

    path: str
    text: str = field(repr=False)
    mode: int = 0o644

    def __str__(self) -> str:
        return f"write {self.path} ({self.mode:04o})"


@dataclass(frozen=True, slots=True)
class MakeSecret:
    """A file with a new secret for root alone, which is never written over. `kind` is hex, words or fernet; where
    `known` is there, it holds the secret that is used already."""

    path: str
    kind: str
    known: str = ""

    def __str__(self) -> str:
        return f"make the secret {self.path} (0600)" + (f", or take over {self.known}" if self.known else "")


@dataclass(frozen=True, slots=True)
class Remove:
    """A file or folder that goes, if it is there; of a folder, what is named in `but` stays."""

    path: str
    but: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"remove {self.path}" + (f" but for {', '.join(self.but)}" if self.but else "")


@dataclass(frozen=True, slots=True)
class Run:
    """A program. `remedy` is what to say where it fails; what it says is shown where it `talks`. It is tried again for
    `again_s` seconds."""

    command: tuple[str, ...]
    remedy: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    limit_s: float = 300
    talks: bool = False
    again_s: float = 0

    def __str__(self) -> str:
        return f"run {shlex.join(self.command)}"


Step = MakeFolder | WriteFile | MakeSecret | Remove | Run
