"""Fault 15: the network is cut, slow, endless or lies. A download ends in bounded time, bytes and memory; what may pass
is tried again; a file is there whole or not at all."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import DiskFull, VixError
from daemon.outbound.addresses import Guard
from daemon.outbound.client import BrokenAnswer, Outbound, Refused, TooLarge, TooManyRedirects
from daemon.outbound.sockets import NotReached, TooSlow
from daemon.sources.download import Allowance, download
from render.errors import Cancelled
from tests.fakes.bad_server import FILM, BadServer, bad_server

ALLOWANCE = Allowance(most_bytes=1_000_000, total_s=1.0, keep_free_bytes=0, tries=2, first_wait_s=0.01)
OUTBOUND = Outbound(Guard(["127.0.0.1"]))
MIB = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[BadServer]:
    with bad_server() as running:
        yield running


@pytest.mark.parametrize(
    ("behaviour", "error", "tries"),
    [
        ("cut", BrokenAnswer, 2),
        ("reset", BrokenAnswer, 2),
        ("half", BrokenAnswer, 2),
        ("half_chunked", BrokenAnswer, 2),
        ("silent", TooSlow, 2),
        ("slow_head", TooSlow, 2),
        ("slow_body", TooSlow, 2),
        ("endless_head", BrokenAnswer, 2),
        ("garbage", BrokenAnswer, 2),
        ("bomb", BrokenAnswer, 2),
        # The same would come again.
        ("endless_body", TooLarge, 1),
        ("huge", TooLarge, 1),
        ("redirects", TooManyRedirects, 6),
        ("missing", Refused, 1),
    ],
)
def test_ends_with_a_reason(
    server: BadServer, tmp_path: Path, behaviour: str, error: type[VixError], tries: int
) -> None:
    begun_s, sent, memory = time.monotonic(), server.sent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(error) as caught:
        download(OUTBOUND, server.url(behaviour), tmp_path / "film", ALLOWANCE)
    assert caught.type is error
    assert server.asked[behaviour] == tries
    assert list(tmp_path.iterdir()) == []
    # Two tries of a second each, with room for a slow machine: far below what the server would go on for.
    assert time.monotonic() - begun_s < 15
    # The kernel's buffers take what was sent before the connection ended; the film may have 1 MB, and server and client
    # are one process here.
    assert server.sent - sent < 20 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 100 * 1024


@pytest.mark.parametrize(("behaviour", "tries"), [("good", 1), ("flaky", 2), ("busy", 3), ("redirect", 1)])
def test_what_passes_is_waited_for(server: BadServer, tmp_path: Path, behaviour: str, tries: int) -> None:
    allowance = Allowance(most_bytes=len(FILM), total_s=30.0, keep_free_bytes=0, tries=3, first_wait_s=0.01)
    assert download(OUTBOUND, server.url(behaviour), tmp_path / "film", allowance) == len(FILM)
    assert (tmp_path / "film").read_bytes() == FILM
    assert [path.name for path in tmp_path.iterdir()] == ["film"]
    assert server.asked[behaviour] == tries


def test_nobody_listens(tmp_path: Path) -> None:
    with bad_server() as gone:
        url = gone.url("good")
    with pytest.raises(NotReached):
        download(OUTBOUND, url, tmp_path / "film", ALLOWANCE)


def test_one_byte_too_many(server: BadServer, tmp_path: Path) -> None:
    allowance = Allowance(most_bytes=len(FILM) - 1, total_s=30.0, keep_free_bytes=0)
    with pytest.raises(TooLarge):
        download(OUTBOUND, server.url("good"), tmp_path / "film", allowance)


def test_below_the_least_rate(server: BadServer, tmp_path: Path) -> None:
    """The bad server drips 20 bytes a second, which would take the film within `total_s` of an hour."""
    allowance = Allowance(most_bytes=MIB, total_s=3600, least_bytes_s=1000, window_s=0.5, keep_free_bytes=0, tries=1)
    with pytest.raises(TooSlow, match="too slowly"):
        download(OUTBOUND, server.url("slow_body"), tmp_path / "film", allowance)


def test_no_byte_for_a_window(server: BadServer, tmp_path: Path) -> None:
    allowance = Allowance(most_bytes=MIB, total_s=3600, window_s=0.5, keep_free_bytes=0, tries=1)
    with pytest.raises(TooSlow, match=r"Nothing came for 0\.5 s"):
        download(OUTBOUND, server.url("silent"), tmp_path / "film", allowance)


def test_a_disk_that_would_be_full(server: BadServer, tmp_path: Path) -> None:
    allowance = Allowance(most_bytes=MIB, total_s=30.0, keep_free_bytes=2**60)
    with pytest.raises(DiskFull):
        download(OUTBOUND, server.url("good"), tmp_path / "film", allowance)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_before_stays_when_the_new_one_fails(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"before")
    with pytest.raises(BrokenAnswer):
        download(OUTBOUND, server.url("half"), tmp_path / "film", ALLOWANCE)
    assert (tmp_path / "film").read_bytes() == b"before"


def test_who_cancels_waits_for_no_more_tries(server: BadServer, tmp_path: Path) -> None:
    answers = iter([False, True])  # before it asks, and after the first piece
    allowance = Allowance(most_bytes=MIB, total_s=30.0, keep_free_bytes=0, tries=4)
    before = server.asked["slow_body"]
    with pytest.raises(Cancelled):
        download(OUTBOUND, server.url("slow_body"), tmp_path / "film", allowance, lambda: next(answers))
    assert server.asked["slow_body"] == before + 1
    assert list(tmp_path.iterdir()) == []
