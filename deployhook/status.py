"""Reads what `deploy.sh` has written down: which release is live and how each deploy went. Writes nothing."""

from __future__ import annotations

import fcntl
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployhook import request
from deployhook.memory import Outcome

_TAIL_BYTES, _TAIL_LINES = 8_192, 40
_MOST_INTERRUPTED = 3
_RECORD = re.compile(r"\d{8}T\d{6}Z-\d+")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CREDENTIALS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@]{1,1000}@", re.I)


@dataclass(frozen=True, slots=True)
class Deploy:
    """One run of `deploy.sh`. Times are ISO 8601 in UTC, `outcome` is one of running, done, nothing, failed, broken,
    interrupted; `kind` is deploy or rollback."""

    id: str
    kind: str
    outcome: str
    commit: str
    left: str
    step: str
    reason: str
    started_at: str
    ended_at: str
    deliveries: tuple[str, ...]


def running_commit(base: Path) -> str:
    """The commit of the release that `current` points to; empty before the first deploy."""
    try:
        name = Path(os.readlink(base / "current")).name
    except OSError:
        return ""
    return name if _COMMIT.fullmatch(name) else ""


def is_unfinished(records: Path) -> bool:
    """Whether a switch was not seen to work: its deploy was cut off, unless it is at work."""
    return (records / "switching").exists()


def is_at_work(records: Path) -> bool:
    """Whether a deploy runs now: then it holds the lock."""
    try:
        with open(records / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # nobody has deployed yet, or it cannot be told
    return False


def deploys(records: Path) -> list[Deploy]:
    """All deploys that are on record, the oldest first."""
    try:
        names = sorted(name for name in os.listdir(records) if _RECORD.fullmatch(name))
    except OSError:
        return []
    return [deploy for name in names if (deploy := _read(records / name)) is not None]


def given_up(known: Iterable[Deploy]) -> set[str]:
    """Commits that must not be deployed again unless somebody asks: they failed, were left by a rollback, or their
    deploy was cut off again and again."""
    bad: set[str] = set()
    cut_off: Counter[str] = Counter()
    for one in known:
        if one.outcome == "done":
            bad.discard(one.commit)
            cut_off.pop(one.commit, None)
            if one.kind == "rollback":
                bad.add(one.left)
        elif one.outcome == "interrupted":
            cut_off[one.commit] += 1
            if cut_off[one.commit] >= _MOST_INTERRUPTED:
                bad.add(one.commit)
        elif one.outcome in ("failed", "broken") and one.kind == "deploy":
            bad.add(one.commit)
    return bad - {""}


def outcomes(known: Iterable[Deploy], at_work: bool) -> dict[str, Outcome]:
    """What became of the deliveries that deploys name; of those that several name, by the last. Unless a deploy is at
    work, one that says so was killed."""
    meaning = {"running": Outcome.PENDING if at_work else Outcome.FAILED, "done": Outcome.DONE, "nothing": Outcome.DONE}
    return {delivery: meaning.get(one.outcome, Outcome.FAILED) for one in known for delivery in one.deliveries}


def log_tail(records: Path, deploy_id: str) -> list[str]:
    """The last lines of a deploy's log, without passwords in URLs."""
    try:
        with open(records / deploy_id / "log", "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
            text = log.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return _CREDENTIALS.sub(r"\1[hidden]@", text).splitlines()[-_TAIL_LINES:]


def without_credentials(text: str) -> str:
    """Hide what stands before a URL's host."""
    return _CREDENTIALS.sub(r"\1[hidden]@", text)


def as_json(deploy: Deploy, asked_by: Mapping[str, dict[str, Any]], tail: list[str]) -> dict[str, Any]:
    """One deploy as it is answered."""
    return {
        "id": deploy.id,
        "kind": deploy.kind,
        "outcome": deploy.outcome,
        "commit": deploy.commit,
        "from": deploy.left,
        "step": deploy.step,
        "reason": without_credentials(deploy.reason),
        "started_at": deploy.started_at,
        "ended_at": deploy.ended_at or None,
        "asked_by": [asked_by.get(one, {"delivery": one}) for one in deploy.deliveries],
        "log_tail": tail,
    }


def _read(folder: Path) -> Deploy | None:
    try:
        lines = (folder / "record").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    fields = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    return Deploy(
        folder.name,
        fields.get("kind", "deploy"),
        fields.get("outcome", "running"),
        fields.get("commit", ""),
        fields.get("from", ""),
        fields.get("step", ""),
        fields.get("reason", ""),
        fields.get("started_at", ""),
        fields.get("ended_at", ""),
        tuple(request.deliveries(folder / request.NAME)),
    )
