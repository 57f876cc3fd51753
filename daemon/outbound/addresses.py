"""Which addresses the service calls for others, and which never: not its own, not the neighbours', not the cloud's.

Judges addresses, not names: `2130706433`, `0x7f.1` and a name that means 127.0.0.1 are all the same once resolved. The
tables are IANA's special-purpose registries (RFC 6890 and after), as Python's `is_global` differs between versions.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from daemon.errors import ForbiddenAddress, ForbiddenPort
from daemon.outbound.urls import parse

Address = IPv4Address | IPv6Address

_DENIED_V4 = tuple(
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's own services, on a public address
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")  # all that is given out to anybody (RFC 4291, IANA)
_DENIED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        *("2001:db8::/32", "3fff::/20"),  # documentation
    )
)
_SIX_TO_FOUR = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")

_NOBODYS: dict[int, Address] = {4: IPv4Address("192.0.2.1"), 6: IPv6Address("2001:db8::1")}  # documentation

_FIRST_FREE_PORT = 1024
_WEB_PORTS = (80, 443)


def is_own(address: Address) -> bool:
    """Say whether an address is one of this machine's, without a packet: only those can be listened at. Where the
    kernel lets anything be listened at (`ip_nonlocal_bind`), nobody can say."""
    return _can_listen(address) and not _can_listen(_NOBODYS[address.version])


def _can_listen(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
            return True
    except OSError:
        return False


class Guard:
    """Says which hosts may be called. `private_hosts` are names, addresses and networks that may although they are
    not public; `own` tells addresses of this machine."""

    def __init__(self, private_hosts: Iterable[str] = (), own: Callable[[Address], bool] = is_own) -> None:
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        self._own = own
        for host in private_hosts:
            try:
                self._networks.append(ip_network(host.strip("[]"), strict=False))
            except ValueError:
                self._names.add(_plain(host))

    def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Check a host with everything it resolves to; one forbidden address among them forbids it.

        Raises:
            ForbiddenAddress: it leads to an address that is not for the public.
            ForbiddenPort: the port is none that things for the public listen on.
        """
        if _plain(host) in self._names:
            return
        for text in addresses:
            address = _unmapped(text)
            if any(address in network for network in self._networks):
                continue
            if not is_public(address) or any(self._own(one) for one in _ways_to(address)):
                raise ForbiddenAddress(host)
            if port not in _WEB_PORTS and port < _FIRST_FREE_PORT:
                raise ForbiddenPort(port)

    def check_url(self, url: str) -> None:
        """Check what a URL says by itself, asking nobody: enough to tell a user early, not enough to call it.

        Raises:
            BadUrl, ForbiddenAddress, ForbiddenPort: it would be refused when it is called.
        """
        target = parse(url)
        plain = _plain(target.host)
        if plain == "localhost" or plain.endswith(".localhost"):
            self.check(target.host, target.port, ["127.0.0.1"])
            return
        try:
            found = socket.getaddrinfo(plain, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return  # a name
        self.check(target.host, target.port, [str(entry[4][0]) for entry in found])


def _ways_to(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that a translator would make of it."""
    yield address
    if isinstance(address, IPv6Address) and address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if isinstance(address, IPv6Address) and address in _SIX_TO_FOUR:
        yield IPv4Address(int(address) >> 80 & 0xFFFFFFFF)


def is_public(address: Address) -> bool:
    """Say whether an address, and any IPv4 address within it, is for everybody."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _DENIED_V4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address in _SIX_TO_FOUR:
        return is_public(IPv4Address(int(address) >> 80 & 0xFFFFFFFF))
    # IPv4-compatible, site-local, multicast and the rest are outside of it; Teredo is among the denied.
    return address.scope_id is None and address in _GLOBAL_V6 and not any(address in net for net in _DENIED_V6)


def _unmapped(text: str) -> Address:
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
