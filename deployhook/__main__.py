"""`python -m deployhook`: reads the settings, wires the parts and serves until a signal."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import stat
import sys
from pathlib import Path

from deployhook import github
from deployhook.errors import HookError, SettingsError
from deployhook.settings import Settings, load

# GitHub's own example, from "Validating webhook deliveries".
_EXAMPLE = ("It's a Secret to Everybody", b"Hello, World!")
_EXAMPLE_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
_STOP_S = 5


def main(arguments: list[str] | None = None) -> int:
    """Serve, or only check that this could be; returns the exit code."""
    parser = argparse.ArgumentParser(prog="vix hook", description="Hears of pushes from GitHub and asks for deploys.")
    parser.add_argument("--check", action="store_true", help="see that this release of the hook works, and end")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("deployhook").setLevel(logging.INFO)
    try:
        return check() if options.check else serve(load())
    except HookError as exc:
        print(f"vix hook: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        print(f"vix hook: it cannot listen there: {exc.strerror or exc}.", file=sys.stderr)
        return 1


def check() -> int:
    """Load everything that serving needs, and verify GitHub's own example. Needs no settings."""
    import uvicorn

    from deployhook import app

    secret, body = _EXAMPLE
    github.verify(secret, body, _EXAMPLE_SIGNATURE)
    print(f"The hook works, with uvicorn {uvicorn.__version__}; webhooks go to {app.WEBHOOK}.")
    return 0


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: the folder of requests cannot be used.
        OSError: the address cannot be listened on.
    """
    import uvicorn

    from deployhook import app
    from deployhook.desk import Desk
    from deployhook.memory import Memory

    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(f"VIX_HOOK_STATE: {settings.state} cannot be made: {exc.strerror}.") from exc
    listener, name = listen(settings)
    desk = Desk(settings, Memory(settings.state / "deliveries.json"))
    config = uvicorn.Config(
        app.build(settings, desk),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,
        backlog=128,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_STOP_S,
    )
    logging.getLogger("deployhook").info(
        "Listens on %s for pushes to %s of %s.", name, settings.branch, settings.repository
    )
    uvicorn.Server(config).run([listener])
    return 0


def listen(settings: Settings) -> tuple[socket.socket, str]:
    """Bind the address; returns the listening socket and what to call it.

    Raises:
        OSError: it cannot be listened on.
    """
    if settings.socket is not None:
        _remove_stale(settings.socket)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(settings.socket))
        os.chmod(settings.socket, 0o660)  # as the API's: a proxy is in the group
        listener.listen(128)
        return listener, f"unix:{settings.socket}"
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    listener = socket.create_server(address[:2], family=family, backlog=128)
    host, port = listener.getsockname()[:2]
    return listener, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _remove_stale(path: Path) -> None:
    """Take away the socket of a process that is gone; nothing else, whatever lies there."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
