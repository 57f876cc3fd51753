"""Fault 28: what takes apart what strangers wrote never fails otherwise than it says."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from daemon.callbacks.signature import sign
from daemon.callbacks.verdict import judge
from daemon.errors import BadUrl, UrlRefused
from daemon.outbound.addresses import Guard, is_public
from daemon.outbound.urls import Target, follow, parse, without_secrets

MANY = settings(max_examples=1000, deadline=None)
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOSTS = st.sampled_from(
    ["127.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "example.org", "a.b", "xn--nxasmq6b", "1.2.3.4.", "é.ü", ""]
)
TAILS = st.text(st.sampled_from("/?#%&=.:;@[]\\é a0\t\r\n"), max_size=30)
URLS = st.one_of(
    st.text(max_size=80),
    st.builds(lambda scheme, host, tail: f"{scheme}://{host}{tail}", st.sampled_from(["http", "HTTPS"]), HOSTS, TAILS),
    st.builds(lambda host, tail: f"http://{host}{tail}", st.text(max_size=40), TAILS),
)
TARGET = parse("https://example.org:8443/a/b?c=d")


def assert_sound(target: Target) -> None:
    """What goes into a request's first lines can end neither of them."""
    for text in (target.host, target.authority, target.path):
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text
    assert target.path.startswith("/")
    assert "#" not in target.path
    assert "@" not in target.authority
    assert 0 < target.port < 65_536


@MANY
@given(URLS)
@example("http://\ud800")
@example("http://a/\x85")
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    try:
        target = parse(text)
    except BadUrl:
        return
    assert_sound(target)
    assert parse(f"{target.origin}{target.path}") == target
    assert repr(target) == f"Target({target.origin})"


@MANY
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60))
def test_visible_ascii_is_sent_as_it_is(tail: str) -> None:
    assert parse(f"http://example.org/{tail}").path == f"/{tail}"


@MANY
@given(URLS)
def test_any_location_is_followed_or_is_refused(location: str) -> None:
    try:
        assert_sound(follow(TARGET, location))
    except BadUrl:
        return


@MANY
@given(URLS)
def test_a_guard_lets_through_or_refuses(text: str) -> None:
    try:
        Guard().check_url(text)
    except UrlRefused:
        return
    assert parse(text).host not in ("localhost", "127.0.0.1", "::1")


@MANY
@given(st.text(max_size=60), st.text(min_size=1, max_size=40))
def test_no_query_is_shown(head: str, secret: str) -> None:
    marker = "canary-secret"
    assert marker not in without_secrets(f"http://user:{marker}@{head.replace('/', '')}/x?{secret}{marker}#{marker}")
    assert marker not in without_secrets(f"https://example.org/x?{secret}{marker}")


@MANY
@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_any_address_is_public_or_not(address: IPv4Address | IPv6Address) -> None:
    """What Python calls private is never public here."""
    if is_public(address):
        assert address.is_global
        assert not address.is_private
        assert not address.is_multicast


@MANY
@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_within_another_counts(inner: IPv4Address) -> None:
    number = int(inner)
    for outer in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert is_public(IPv6Address(outer)) == is_public(inner)
    assert not is_public(IPv6Address(number))  # IPv4-compatible: given up long ago
    assert not is_public(IPv6Address(0x20010000 << 96 | number))  # Teredo


@MANY
@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=40))
def test_any_answer_has_a_verdict(status: int, body: bytes, retry_after: str) -> None:
    verdict = judge(status, {"retry-after": retry_after}, body, NOW)
    assert verdict.asked_s >= 0


@MANY
@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x21), min_size=1, max_size=40), st.text(max_size=200))
def test_any_body_is_signed_and_verified(message_id: str, text: str) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    body = text.encode("utf-8", "surrogatepass")
    at = datetime.now(UTC)
    headers = sign([secret], message_id, int(at.timestamp()), body)
    if max(text, default="") >= "\ud800":
        return  # the package that checks takes UTF-8 alone
    assert Webhook(secret).sign(message_id, at, text) == headers["webhook-signature"]


@pytest.mark.parametrize("text", ["::ffff:0:0", "64:ff9b::", "2002::", "::", "ff00::", "2001::"])
def test_the_first_of_each_kind(text: str) -> None:
    assert not is_public(ip_address(text))
