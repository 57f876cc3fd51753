"""Asks the remote repository what its branch points to. The only place here that starts a program: git, and never with
anything that came over the network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deployhook.errors import RemoteSilent

TIMEOUT_S = 30.0
_LINE = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)\t(\S+)")
# Nobody is there to type a password; and git must not show one in what it says.
_UNATTENDED = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "LC_ALL": "C"}


def head(checkout: Path, remote: str, branch: str, environment: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> str:
    """Return the full hash that a branch has at a remote: a name that `checkout` knows, or a URL.

    Raises:
        RemoteSilent: git is not there, failed or took too long, or there is no such branch.
    """
    ref = f"refs/heads/{branch}"
    # The checkout may be another account's, whose deploys it serves.
    command = ["git", "-c", f"safe.directory={checkout}", "ls-remote", "--", remote, ref]
    output = _run(command, checkout, {**environment, **_UNATTENDED}, timeout_s)
    found = (match.group(1) for match in _LINE.finditer(output) if match.group(2) == ref)
    commit = next(found, None)
    if commit is None:
        raise RemoteSilent(f"The remote has no branch {branch}.")
    return commit


def _run(command: list[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> str:
    environment = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", **environment}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder if folder.is_dir() else None,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as exc:
        raise RemoteSilent(f"git cannot be started: {exc.strerror}.") from exc
    with process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            # ssh or a helper of git's would go on and hold the pipes.
            os.killpg(process.pid, signal.SIGKILL)
            raise RemoteSilent(f"The remote did not answer within {timeout_s:g} s.") from None
    if process.returncode != 0:
        last = (err.strip().splitlines() or ["it gave no reason"])[-1]
        raise RemoteSilent(f"git could not ask the remote: {last[:300]}")
    return out
