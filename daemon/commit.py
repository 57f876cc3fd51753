"""Which commit is running, read from the release or the checkout without starting git. Empty where there is none."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def running_commit(root: Path = _ROOT) -> str:
    """The full hash of the checked-out commit, or an empty string. A release has no repository; `deploy.sh` writes its
    commit beside its files."""
    git, stamp = root / ".git", root / ".commit"
    try:
        if stamp.exists() and not git.exists():
            return stamp.read_text().strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        loose = git / name
        if loose.exists():
            return loose.read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""
