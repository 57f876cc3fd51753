"""One record, one line, whatever is in it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from typing import Any

from daemon import logs
from daemon.logs import JsonFormatter, LineFormatter
from daemon.redaction import Redactor


def as_json(message: str = "A job starts.", secrets: tuple[str, ...] = (), **extra: Any) -> dict[str, Any]:
    record = logging.getLogger("daemon.x").makeRecord("daemon.x", logging.INFO, "f", 1, message, (), None, extra=extra)
    line = JsonFormatter(Redactor(secrets)).format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def formatted(message: str = "A job starts.", level: int = logging.INFO, **extra: Any) -> str:
    record = logging.getLogger("daemon.x").makeRecord("daemon.x", level, "f", 1, message, (), None, extra=extra)
    return LineFormatter(Redactor()).format(record)


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
    text = LineFormatter(Redactor()).format(record)
    assert text.encode("utf-8")
    assert text.splitlines()[-1] == "moov atom not found"


def test_libraries_are_quiet_and_we_are_not() -> None:
    code = (
        "import logging; from daemon import logs; logs.configure('INFO');"
        "logging.getLogger('httpx').info('GET /?token=secret'); logging.getLogger('huey').warning('theirs');"
        "logging.getLogger('daemon.worker.loop').info('ours'); logging.getLogger('render').debug('too much')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert [line.split()[-1] for line in done.stderr.splitlines()] == ["theirs", "ours"]


def test_json_lines_carry_the_same() -> None:
    line = as_json(action="job_start", attempt=2, clip="caf\udce9\n", path=object)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time"))
    assert line == {
        "level": "INFO",
        "logger": "daemon.x",
        "message": "A job starts.",
        "action": "job_start",
        "attempt": 2,
        "clip": "caf\udce9\n",
        "path": "<class 'object'>",
    }


def test_lines_inside_a_job_name_it_unless_they_do_themselves() -> None:
    with logs.about("job_1"):
        assert as_json()["job"] == "job_1"
        assert formatted().endswith("job=job_1")
        assert as_json(job="job_2")["job"] == "job_2"
    assert "job" not in as_json()


def test_secrets_are_hidden_in_both_forms() -> None:
    assert "hunter2hunter2" not in formatted("Refused.", reason="X-Api-Key: hunter2hunter2")
    assert as_json(token="hunter2hunter2")["token"] == "[hidden]"
    assert as_json("master is m4st3r-k3y.", secrets=("m4st3r-k3y",))["message"] == "master is [hidden]."


def test_a_secret_in_a_traceback_is_hidden() -> None:
    try:
        raise ValueError("GET http://127.0.0.1/webhook-waiting/8?signature=0f0f0f failed")
    except ValueError as exc:
        record = logging.LogRecord("daemon.x", logging.ERROR, "f", 1, "It failed.", (), (type(exc), exc, None))
    for formatter in (LineFormatter(Redactor()), JsonFormatter(Redactor())):
        assert "0f0f0f" not in formatter.format(record)
        assert "webhook-waiting/8" in formatter.format(record)
