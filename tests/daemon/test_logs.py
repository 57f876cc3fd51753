"""One record, one line, whatever is in it."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from typing import Any

from daemon.logs import LineFormatter


def formatted(message: str = "A job starts.", level: int = logging.INFO, **extra: Any) -> str:
    record = logging.getLogger("daemon.x").makeRecord("daemon.x", level, "f", 1, message, (), None, extra=extra)
    return LineFormatter().format(record)


def test_a_line_has_time_level_name_sentence_and_pairs() -> None:
    line = formatted(action="job_start", job="job_1", attempt=2)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO daemon.x A job starts. action=job_start job=job_1 attempt=2", line
    )


def test_values_cannot_break_out_of_their_place() -> None:
    line = formatted(
        path="a b", empty="", trick='x" action=none', newline="a\n2026-01-01T00:00Z ERROR fake", red="\x1b[31m"
    )
    assert "\n" not in line
    assert "\x1b" not in line
    assert "path='a b' empty='' trick='x\" action=none' newline='a\\n2026" in line


def test_what_utf_8_cannot_hold_is_escaped() -> None:
    line = formatted(clip="caf\udce9.mp4")
    assert line.encode("utf-8")
    assert "\\udce9" in line


def test_a_traceback_with_notes_follows_and_can_be_written() -> None:
    try:
        raise ValueError("caf\udce9.mp4 is broken")
    except ValueError as exc:
        exc.add_note("FFmpeg's last lines:\nmoov atom not found")
        record = logging.LogRecord("daemon.x", logging.ERROR, "f", 1, "A job failed.", (), (type(exc), exc, None))
    text = LineFormatter().format(record)
    assert text.encode("utf-8")
    assert text.splitlines()[-1] == "moov atom not found"


def test_libraries_are_quiet_and_we_are_not() -> None:
    code = (
        "import logging; from daemon import logs; logs.configure('INFO');"
        "logging.getLogger('httpx').info('GET /?token=secret'); logging.getLogger('huey').warning('theirs');"
        "logging.getLogger('daemon.worker').info('ours'); logging.getLogger('render').debug('too much')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert [line.split()[-1] for line in done.stderr.splitlines()] == ["theirs", "ours"]
