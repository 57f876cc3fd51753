"""`vix keys`: what it refuses before it opens anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.commands.keys import keys


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "a", "--per-minute", "1000000001"],
        ["create", "a", "--per-day", "99999999999999999999"],
        ["create", "a", "--waiting", "-1"],
        ["create", "a", "--days", "3651"],
        ["create", "a", "--days", "0"],
        ["change", "Ab3dEf6h", "--per-day", "1000000001"],
        ["rotate", "Ab3dEf6h", "--overlap-h", "720.5"],
        ["rotate", "Ab3dEf6h", "--overlap-h", "-1"],
        ["rotate", "Ab3dEf6h", "--overlap-h", "nan"],
        ["rotate", "Ab3dEf6h", "--overlap-h", "inf"],
    ],
)
def test_numbers_have_bounds(arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIX_DATA", str(tmp_path))
    done = CliRunner().invoke(keys, arguments)
    assert done.exit_code == 2, done.exception
    assert not list(tmp_path.iterdir())
    assert f"Invalid value for '{arguments[2]}'" in done.output
