"""Where a request comes from: nobody is believed but proxies that were named."""

from __future__ import annotations

import pytest

from daemon.web.client import LOOPBACK, UNIX, Client, Proxies, client_of, networks, parse_address, proxies

PROXIES = proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
STRANGER = "198.51.100.7"


def client(peer: str | None, scheme: str = "http", **headers: str | list[str]) -> Client:
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {"type": "http", "client": (peer, 1) if peer else None, "headers": pairs, "scheme": scheme}
    return client_of(scope, PROXIES)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (STRANGER, STRANGER),
        ("::ffff:198.51.100.7", STRANGER),
        ("::FFFF:c633:6407", STRANGER),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.168.1.1", "192.168.1.1"),
    ],
)
def test_the_peer_is_the_client(peer: str, address: str) -> None:
    found = client(peer)
    assert (found.name, found.certain) == (address, True)


@pytest.mark.parametrize("peer", [None, "", "a unix socket", "1.2.3", "0x7f000001", "127.1", "testclient"])
def test_a_peer_that_is_no_address_is_unknown(peer: str | None) -> None:
    found = client(peer)
    assert (found.address, found.certain, found.name) == (None, False, "unknown")
    assert not found.is_in(networks(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize(
    ("entries", "address"),
    [
        (STRANGER, STRANGER),
        (f"127.0.0.1, {STRANGER}", STRANGER),  # the first one is the client's own invention
        (f"127.0.0.1, {STRANGER}, 10.1.2.3", STRANGER),  # two proxies, both named
        (f"{STRANGER},::ffff:10.1.2.3", STRANGER),
        ([f"127.0.0.1, {STRANGER}", "10.1.2.3"], STRANGER),  # a second header continues the first
        ("::ffff:198.51.100.7", STRANGER),
        ("2001:db8::1", "2001:db8::1"),
        (f"{STRANGER}:4711", STRANGER),  # with a port, as some write it
        ("[2001:db8::1]:443, 10.1.2.3:80", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("10.9.9.9, 10.1.2.3", "10.9.9.9"),
    ],
)
def test_a_named_proxy_is_believed_from_the_right(entries: str | list[str], address: str) -> None:
    for peer in ("127.0.0.1", "::ffff:127.0.0.1", "10.200.0.1", "fd12::1"):
        found = client(peer, x_forwarded_for=entries)
        assert (found.name, found.certain) == (address, True)


@pytest.mark.parametrize(
    "entries",
    [
        "",
        " ",
        "unknown",
        "1.2.3:80",
        "[::1",
        "[::1]x",
        "::1]:80",
        "[127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:123456",
        "127.0.0.1,",
        "é",
        "127.0.0.1 x",
        "127.0.0.1, _hidden",
    ],
)
def test_what_a_proxy_says_unreadably_is_unknown(entries: str) -> None:
    found = client("127.0.0.1", x_forwarded_for=entries)
    assert (found.address, found.certain) == (None, False)


@pytest.mark.parametrize(("peer", "certain"), [("127.0.0.1", True), ("::1", True), ("10.1.2.3", False)])
@pytest.mark.parametrize("entry", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.9.9.9:80"])
def test_only_a_proxy_on_this_machine_can_say_that_its_client_is(peer: str, certain: bool, entry: str) -> None:
    trusted = proxies(["127.0.0.1", "::1", "10.0.0.0/8"])
    scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", entry.encode())]}
    assert client_of(scope, trusted).is_in(LOOPBACK) == certain
    assert client_of(scope, trusted).certain == certain


@pytest.mark.parametrize(
    "name",
    [
        "x_forwarded_for",
        "x_forwarded_host",
        "x_forwarded_proto",
        "x_forwarded_server",
        "forwarded",
        "via",
        "x_real_ip",
        "x_client_ip",
        "x_cluster_client_ip",
        "cf_connecting_ip",
        "true_client_ip",
    ],
)
def test_a_request_through_a_proxy_that_nobody_named_is_from_nowhere_certain(name: str) -> None:
    found = client("192.0.2.1", **{name: "127.0.0.1"})
    assert (found.name, found.certain) == ("192.0.2.1", False)
    assert not found.is_in(networks(["192.0.2.1", "127.0.0.1"]))


def test_a_proxy_that_does_not_name_its_client_is_not_taken_for_it() -> None:
    for headers in ({}, {"forwarded": "for=198.51.100.7"}, {"x_forwarded_proto": "https"}):
        found = client("127.0.0.1", **headers)
        assert (found.name, found.certain) == ("127.0.0.1", False)
        assert not found.is_in(LOOPBACK)


@pytest.mark.parametrize("entry", [STRANGER, "127.0.0.1", f"127.0.0.1, {STRANGER}"])
def test_who_may_open_the_socket_is_believed_where_it_is_named(entry: str) -> None:
    headers = [(b"x-forwarded-for", entry.encode()), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (UNIX, 0), "headers": headers, "scheme": "http"}
    found = client_of(scope, proxies([UNIX]))
    assert (found.name, found.certain, found.scheme) == (entry.rpartition(" ")[2], True, "https")
    for trusted in (Proxies(), PROXIES, proxies(["0.0.0.0/0", "::/0"])):
        found = client_of(scope, trusted)
        assert (found.name, found.certain, found.scheme) == ("unknown", False, "http")
    silent = client_of({**scope, "headers": []}, proxies([UNIX]))
    assert (silent.name, silent.certain) == ("unknown", False)


def test_a_peer_without_an_address_is_no_socket() -> None:
    for peer in (None, ("", 0)):
        assert not proxies([UNIX]).has({"type": "http", "client": peer, "headers": []})


def test_the_scheme_is_a_named_proxys_word() -> None:
    assert client("127.0.0.1", x_forwarded_proto="https").scheme == "https"
    assert client("127.0.0.1", x_forwarded_proto="HTTPS ", x_forwarded_for=STRANGER).scheme == "https"
    assert client("127.0.0.1", x_forwarded_proto="http", scheme="https").scheme == "http"
    assert client(STRANGER, x_forwarded_proto="https").scheme == "http"
    for odd in ("javascript", "https, http", "", "https\x00"):
        assert client("127.0.0.1", x_forwarded_proto=odd).scheme == "http"


def test_an_address_is_in_a_network_of_its_own_kind() -> None:
    def is_in(peer: str, *texts: str) -> bool:
        return Client(parse_address(peer), certain=True, scheme="http").is_in(networks(texts) or LOOPBACK)

    assert is_in("::ffff:127.0.0.9")
    assert is_in("::1")
    assert is_in("::1%lo")
    assert not is_in("::7f00:1")
    assert not is_in("128.0.0.1")
    assert is_in("10.1.1.1", "::ffff:10.0.0.0/104")
    with pytest.raises(ValueError, match="x"):
        networks(["x"])


def test_one_customer_is_one_group() -> None:
    assert client("2001:db8:1:2::1").group == client("2001:db8:1:2:ffff::9").group == "2001:db8:1:2::/64"
    assert client("2001:db8:1:3::1").group != client("2001:db8:1:2::1").group
    assert client("::1").group == "::/64"
    assert client("198.51.100.7").group == "198.51.100.7"
    assert client(None).group == "unknown"


@pytest.mark.parametrize("text", ["1.2.3.4 ", "\t1.2.3.4"])
def test_spaces_around_an_address_mean_nothing(text: str) -> None:
    assert str(parse_address(text)) == "1.2.3.4"
