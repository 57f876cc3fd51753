"""Signed links: they open one name until one second, and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from daemon.errors import BadKey, LinkExpired
from daemon.signing import LinkSigner

SIGNER = LinkSigner(b"p" * 32)
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
END = int(NOW.timestamp()) + 60
GOOD = SIGNER.sign("a.mp4", END)


def test_a_link_opens_until_its_end() -> None:
    query = parse_qs(SIGNER.query("a.mp4", END))
    for moment in (NOW, NOW + timedelta(seconds=59.9)):
        SIGNER.check("a.mp4", query["expires"][0], query["signature"][0], moment)
    for moment in (NOW + timedelta(seconds=60), NOW + timedelta(days=9)):
        with pytest.raises(LinkExpired):
            SIGNER.check("a.mp4", str(END), GOOD, moment)


@pytest.mark.parametrize(
    ("name", "expires", "signature"),
    [
        ("b.mp4", str(END), GOOD),
        ("a.mp4", str(END + 1), GOOD),
        ("a.mp4", f" {END}", GOOD),
        ("a.mp4", f"+{END}", GOOD),
        ("a.mp4", "", GOOD),
        ("a.mp4", "9" * 5000, GOOD),
        ("a.mp4", "١٢", GOOD),
        ("a.mp4", "-1", GOOD),
        ("a.mp4", str(END), ""),
        ("a.mp4", str(END), GOOD[:-1]),
        ("a.mp4", str(END), GOOD.upper() + "0"),
        ("a.mp4", str(END), "é" * 64),
        ("a.mp4", str(END), "\ud800"),
        ("a.mp4", str(END), LinkSigner(b"q" * 32).sign("a.mp4", END)),
    ],
)
def test_nothing_else_opens(name: str, expires: str, signature: str) -> None:
    with pytest.raises(BadKey):
        SIGNER.check(name, expires, signature, NOW)


def test_a_name_and_an_end_cannot_be_shifted_into_each_other() -> None:
    assert SIGNER.sign("a1", 2) != SIGNER.sign("a", 12)
