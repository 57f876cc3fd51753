"""URLs in answers: on the address that the client used, unless that is no address."""

from __future__ import annotations

import pytest

from daemon.web.links import links_for

SERVER = ("127.0.0.1", 8000)


def base(host: str | None, public_url: str | None = None, server: object = SERVER, scheme: str = "http") -> str:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    return links_for({"type": "http", "scheme": scheme, "server": server, "headers": headers}, public_url).base


@pytest.mark.parametrize(
    "host", ["films.example.org", "films.example.org:8443", "10.0.0.7:80", "[::1]:8000", "localhost", "my_host:1"]
)
def test_the_host_of_the_request_is_used(host: str) -> None:
    assert base(host) == f"http://{host}"
    assert base(host, scheme="https") == f"https://{host}"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "evil.example/x",
        "evil.example?x",
        "evil.example#x",
        "user@evil.example",
        'a"b',
        "a\\b",
        "a:b",
        "a:123456",
        "[::1",
        "<script>",
        "-a",
        "a.",
        "é.example",
        "a" * 300,
        "%2e",
        None,
    ],
)
def test_a_host_that_is_none_is_replaced_by_the_servers_own(host: str | None) -> None:
    assert base(host) == "http://127.0.0.1:8000"


def test_without_any_address_there_is_still_a_url() -> None:
    assert base(None, server=None) == "http://127.0.0.1"
    assert base(None, server=("::1", 80)) == "http://[::1]:80"


def test_the_public_url_goes_before_the_request() -> None:
    assert base("internal:1", "https://films.example.org/vix/") == "https://films.example.org/vix"
