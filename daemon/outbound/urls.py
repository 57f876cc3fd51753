"""URLs that others give us, taken apart without changing a byte of what is sent. Pure; asks nobody.

An HTTP library's own URL class writes a query anew, and for whoever signed it, that is another query.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, urljoin

from daemon.errors import BadUrl

LONGEST_URL = 8_192
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#\\]*)(/[^?#]*|)(\?[^#]*|)(?:#.*)?", re.I)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_NOT_VISIBLE = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts. `host` is in lower case and without brackets, `authority` what the Host header says, `path` the
    path and query, byte for byte. Its `repr` hides path and query, which may be secrets."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    def __repr__(self) -> str:
        return f"Target({self.origin})"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse(url: str) -> Target:
    """Take a URL apart.

    Characters outside ASCII, which no request line can hold, are written as browsers do; a fragment is left away.

    Raises:
        BadUrl: it is no absolute http or https URL, or has a name or password in it.
    """
    if len(url) > LONGEST_URL:
        raise BadUrl(f"The URL is longer than {LONGEST_URL} characters.")
    if _NOT_VISIBLE.search(url):
        raise BadUrl("The URL holds a space or a control character; write it as %20 or the like.")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise BadUrl("The URL is not of the form http://host/path or https://host/path.")
    scheme, authority, path, query = parts[1].lower(), parts[2], parts[3] or "/", parts[4]
    if "@" in authority:
        raise BadUrl("The URL has a name or password in it; leave it away.")
    host, port = _host_and_port(authority, _PORTS[scheme])
    shown = f"[{host}]" if ":" in host else host
    if port != _PORTS[scheme]:
        shown += f":{port}"
    return Target(scheme, host, port, shown, quote(path + query, safe=_VISIBLE_ASCII))


def follow(target: Target, location: str) -> Target:
    """Take apart where a redirect leads.

    Raises:
        BadUrl: it leads nowhere.
    """
    try:
        # Servers write spaces there, and browsers put up with it.
        return parse(urljoin(f"{target.origin}{target.path}", location.strip().replace(" ", "%20")))
    except ValueError:
        raise BadUrl("The server redirects to something that is no URL.") from None


def without_secrets(url: str) -> str:
    """Write a URL for people to recognise: without its query and fragment, and without a name and password."""
    found = re.match(r"([a-z]+://)(?:[^/?#]*@)?([^?#]*)(\?)?", url, re.I)
    return f"{found[1]}{found[2]}{'?...' if found[3] else ''}" if found else "..."


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise BadUrl("The URL's host is neither a name nor an address.")
    port = int(parts[2] or default)
    if not 0 < port < 65536:
        raise BadUrl("The URL's port is not between 1 and 65535.")
    return _host(parts[1]), port


def _host(text: str) -> str:
    """Write a host in small letters and ASCII, and an address in its usual form: `0x7f.1` is 127.0.0.1 (WHATWG URL)."""
    try:
        host = text.lower() if text.isascii() else text.encode("idna").decode("ascii").lower()
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        if _ENDS_IN_A_NUMBER.fullmatch(host):
            return socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):  # UnicodeError is one, too
        raise BadUrl("The URL's host is neither a name nor an address.") from None
    if not _NAME.fullmatch(host):
        raise BadUrl("The URL's host is neither a name nor an address.")
    return host
