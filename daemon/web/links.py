"""What the URLs in an answer start with. Reads nothing but the request's own address."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import Scope

from daemon.links import Links

# A name or an address, with or without a port; nothing that could end a URL's host part.
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def links_for(scope: Scope, public_url: str | None) -> Links:
    """Build links on `public_url`, else on the address that the request was sent to."""
    return Links(public_url.rstrip("/") if public_url else f"{scope.get('scheme', 'http')}://{_authority(scope)}")


def _authority(scope: Scope) -> str:
    """Take the Host header if it looks like one, else the address that the server listens on."""
    host = Headers(scope=scope).get("host", "")
    if _HOST.fullmatch(host):
        return host
    address, port = scope.get("server") or ("127.0.0.1", None)
    address = "localhost" if address.startswith("/") else address  # a unix socket
    name = f"[{address}]" if ":" in address else address
    return f"{name}:{port}" if port else name
