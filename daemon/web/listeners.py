"""Makes the socket that requests come in by: an address, or a path for a proxy on this machine. Knows no requests."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

_BACKLOG = 2048
# For the service's group, which a proxy is in, and for nobody else.
_MODE = 0o660
_ASK_S = 1.0


def listener(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes any free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bound = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    # Connections inherit it; asyncio sets it only on sockets it has made itself. Without it every answer, which is
    # written as head and body, waits 40 ms for the client's delayed acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def unix_listener(path: Path) -> socket.socket:
    """Listen on a unix socket that the group may open. What a killed process has left there is replaced.

    Raises:
        OSError: the folder is not there, somebody else listens on the socket, or the path is something else.
    """
    if _is_taken(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(_MODE)
        bound.listen(_BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _is_taken(path: Path) -> bool:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return True
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ASK_S)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # too many wait there, say
            return True
    return True
