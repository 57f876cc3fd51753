"""The API as a process of its own, with the web tests' library: `api_process DATA FAIL_AT`. Prints where it listens."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from daemon import failpoints
from daemon.queue import Doorbell
from daemon.signals import hang_up_stops
from daemon.web.app import create_app
from daemon.web.server import serve
from tests.daemon.web.house import services_at


def main(data: Path, fail_at: str) -> None:
    (data / "library" / "styles" / "link").unlink(missing_ok=True)
    services = replace(services_at(data), ring=Doorbell(data / "queue.db").ring)
    failpoints.arm(fail_at)
    hang_up_stops()
    serve(create_app(services), "127.0.0.1", 0, lambda url: print(url, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
