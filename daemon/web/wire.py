"""What a connection can be refused for before its request reaches the application."""

from __future__ import annotations

from daemon.errors import VixError


class NotHttp(VixError):
    """What came in is no request."""

    code = "not_http"
    message = "This is no HTTP/1.1 request that can be read; send it again with a client that speaks HTTP."


class TooManyConnections(VixError):
    """As many connections as are allowed are at work, from one address or from all."""

    code = "too_many_connections"
    message = "Too many connections are open at once; close some, or try again in a few seconds."
