"""Where a request comes from: its address and scheme, believing a proxy only if it was named. Pure; reads one scope."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"
# How a peer on a unix socket is called, which has no address; also in `VIX_TRUSTED_PROXIES`.
UNIX = "unix"
LOOPBACK: tuple[Network, ...] = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))
# What a proxy adds; from anybody else it says that the request passed a proxy which nobody has named.
_FORWARDED = frozenset(
    ("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip", "true-client-ip")
)
_ALSO_FORWARDED = "x-forwarded-"
# As some proxies write it: `192.0.2.1:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`.
_WITH_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
# A provider gives one customer such a network at least.
_CUSTOMER_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Client:
    """Who has sent a request. `address` is None where it cannot be told; `certain`: no unnamed proxy is in between."""

    address: Address | None
    certain: bool
    scheme: str

    @property
    def name(self) -> str:
        """The address as text."""
        return UNKNOWN if self.address is None else str(self.address)

    @property
    def group(self) -> str:
        """What one person has: an IPv4 address, or the /64 around an IPv6 address."""
        if isinstance(self.address, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((self.address, _CUSTOMER_PREFIX), strict=False))
        return self.name

    def is_in(self, networks: Sequence[Network]) -> bool:
        """Say whether the address is known for certain and in one of the networks."""
        return self.certain and _is_in(self.address, networks)


NOWHERE = Client(None, certain=False, scheme="http")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who is believed about who its client is: peers in networks, and with `unix` whoever may open the unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def has(self, scope: Scope) -> bool:
        """Say whether one of them has sent a request."""
        return self.unix if _is_unix(scope) else _is_in(_peer(scope), self.networks)


def client_of(scope: Scope, trusted_proxies: Proxies) -> Client:
    """Find the client of a request.

    It is the peer of the connection; if that is a trusted proxy, the last entry of `X-Forwarded-For` that is not one,
    since whatever stands before that entry may have been written by the client. A proxy that does not say who its
    client is leaves that uncertain, and only one on this machine is believed that its client is.
    """
    peer = _peer(scope)
    headers = Headers(scope=scope)
    scheme = str(scope.get("scheme", "http"))
    if not trusted_proxies.has(scope):
        return Client(peer, peer is not None and not _is_forwarded(headers), scheme)
    told = headers.get("x-forwarded-proto", "").strip().lower()
    scheme = told if told in ("http", "https") else scheme
    if "x-forwarded-for" not in headers:
        return Client(peer, certain=False, scheme=scheme)
    found = _forwarded(headers, trusted_proxies.networks)
    is_near = _is_unix(scope) or (peer is not None and peer.is_loopback)
    if found is not None and found.is_loopback and not is_near:
        found = None
    return Client(found, found is not None, scheme)


def parse_address(text: str) -> Address | None:
    """Read an address, an IPv4 address inside an IPv6 one as the former; None where it is none."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without the name of an interface


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and networks such as `10.0.0.0/8`; IPv4 ones inside IPv6 as the former.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(_network(text) for text in texts)


def proxies(texts: Sequence[str]) -> Proxies:
    """Read networks as above, and `unix`.

    Raises:
        ValueError: one of them is neither.
    """
    return Proxies(networks([text for text in texts if text != UNIX]), UNIX in texts)


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))


def _peer(scope: Scope) -> Address | None:
    return parse_address((scope.get("client") or ("",))[0])


def _is_unix(scope: Scope) -> bool:
    return (scope.get("client") or ("",))[0] == UNIX


def _forwarded(headers: Headers, trusted: Sequence[Network]) -> Address | None:
    found: Address | None = None
    for entry in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
        found = _entry(entry)
        if found is None or not _is_in(found, trusted):
            break
    return found


def _entry(text: str) -> Address | None:
    """Read an entry of `X-Forwarded-For`, with or without a port."""
    match = _WITH_PORT.fullmatch(text.strip())
    return parse_address((match[1] or match[2]) if match else text)


def _is_forwarded(headers: Headers) -> bool:
    return any(name in _FORWARDED or name.startswith(_ALSO_FORWARDED) for name in headers)


def _is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)
