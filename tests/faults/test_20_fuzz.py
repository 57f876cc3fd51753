"""Row 20: whatever is sent is answered as the documentation says: no 5xx, no status and no shape beside it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fuzz import PHASES, Target, fuzz, target

# Documents, coverage of every schema, and a few random calls for each door; the long run is `tests.faults.fuzz`.
EXAMPLES = 2
FEWEST_CALLS = 500


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Target]:
    with target(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("caller", "phases"),
    [("nobody", PHASES[:2]), ("key", PHASES), ("operator", PHASES[:3])],
    ids=["nobody", "key", "operator"],
)
def test_every_call_is_answered_as_documented(fuzzed: Target, caller: str, phases: tuple[str, ...]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    found = fuzz(fuzzed, seed, examples=EXAMPLES, caller=caller, phases=phases)
    assert found.ok, found.report
    assert found.calls > FEWEST_CALLS, found.report
    assert bool(fuzzed.done()) == (caller == "key"), found.report
