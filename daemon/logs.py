"""How log records are written: one line each, for people or as JSON, with the job it is about and without secrets."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from daemon.redaction import HIDDEN, Redactor

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = ("daemon", "render", "fonts_cache")
_job: ContextVar[str | None] = ContextVar("job", default=None)


@contextmanager
def about(job_id: str) -> Iterator[None]:
    """Put the job on every line that is logged inside the block, on this thread."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if (job := _job.get()) is not None:
        extras.setdefault("job", job)
    return extras


class LineFormatter(logging.Formatter):
    """`2026-11-21T09:00:00Z INFO daemon.worker A job starts. action=job_start job=job_x`; odd characters escaped."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = None

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        extra = (f"{key}={_plain(value)}" for key, value in _extras(record).items())
        line = " ".join((self.formatTime(record), record.levelname, record.name, record.getMessage(), *extra))
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return self._redact(line).encode("utf-8", "backslashreplace").decode()


class JsonFormatter(LineFormatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the extras, and `exception` as one string."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: _json_value(value) for key, value in _extras(record).items()},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: self._hide(key, value) for key, value in line.items()})

    def _hide(self, key: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        secret = self._redact(f"{key}={value}") == f"{key}={HIDDEN}"  # a secret by its name, if not by its looks
        return HIDDEN if secret else self._redact(value)


def _plain(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(not c.isprintable() or c in ' "=' for c in text) else text


def _json_value(value: object) -> object:
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def configure(level: str, style: str = "text", secrets: Iterable[str] = ()) -> None:
    """Send every record from `level` up to standard error; libraries only from WARNING up.

    `style` is `text` or `json`; `secrets` are hidden wherever they would stand in a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    redact = Redactor(secrets)
    handler.setFormatter(JsonFormatter(redact) if style == "json" else LineFormatter(redact))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
