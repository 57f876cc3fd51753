"""How log records are written: one line each, `key=value` after a constant sentence, for people and for grep."""

from __future__ import annotations

import logging
import sys
import time

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2026-11-21T09:00:00Z INFO daemon.worker A job starts. action=job_start job=job_x`; odd characters escaped."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = None

    def format(self, record: logging.LogRecord) -> str:
        extra = (f"{key}={_plain(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        line = " ".join((self.formatTime(record), record.levelname, record.name, record.getMessage(), *extra))
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(not c.isprintable() or c in ' "=' for c in text) else text


def configure(level: str) -> None:
    """Send every record from `level` up to standard error; libraries only from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("daemon", "render", "fonts_cache"):
        logging.getLogger(name).setLevel(level)
