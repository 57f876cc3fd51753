"""The files of a release that is as small as a release can be. Empty files beside them make it go wrong: `crash`,
`dies-soon`, `unhealthy`, `no-worker`, `bad-prepare`, `slow-prepare`, `big-prepare`, `flaky-prepare`, `bad-help`."""

from __future__ import annotations

VIX = """#!/usr/bin/env bash
root=$(dirname "$(readlink -f "$0")")
has() { [ -e "$root/$1" ]; }
case "$1" in
prepare)
    if has slow-prepare; then sleep 1.5; fi
    if has flaky-prepare && [ -e "$root/../../flaky" ]; then exit 1; fi
    if has bad-prepare; then echo "the index could not be reached" && exit 1; fi
    if has big-prepare; then dd if=/dev/zero of="$root/big" bs=1M count=200 status=none || exit 1; fi
    [ -e "$root/.venv/vix-stamp" ] && exit 0
    mkdir -p "$root/.venv" && echo made >>"$root/../../made" && echo stamp >"$root/.venv/vix-stamp"
    ;;
alert) printf '%s | %s\\n' "$2" "$3" >>"$root/../../alerts" ;;
*) if has bad-help; then exit 1; fi ;;
esac
"""

SERVER = """
import json, os, pathlib, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

root = pathlib.Path(__file__).resolve().parent
if (root / "crash").exists():
    sys.exit("it does not start")
commit = (root / ".commit").read_text().strip()
checks = {
    "worker": {"ok": not (root / "no-worker").exists(), "message": "none runs"},
    "database": {"ok": not (root / "unhealthy").exists(), "message": "broken"},
    "disk": {"ok": not (root.parent.parent / "disk-is-low").exists(), "message": "low"},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"commit": commit, "checks": checks}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


if (root / "dies-soon").exists():
    threading.Timer(1, os._exit, [1]).start()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# Does what systemctl does with a service: ends the old process, waits for that, starts the new one and goes.
SYSTEMCTL = """#!/usr/bin/env bash
trap : TERM  # whoever is asked to restart a service does it to the end
cd "{base}" || exit 1
exec 8>"{yard}/turn" && flock 8 || exit 1
basename "$(readlink current)" >>"{yard}/restarts"
if pid=$(cat "{yard}/pid" 2>/dev/null); then
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
fi
# All that there is of it, as systemd does: whoever started it may have been killed in between.
while pkill -KILL -f "current/server.py {port}"; do sleep 0.02; done
# It writes its number down itself and keeps the turn until it has: whoever starts it may be killed in between.
setsid bash -c 'echo $$ >"$0/pid"; exec 8>&- "$@"' "{yard}" "{python}" -I -S current/server.py {port} \\
    </dev/null >>"{yard}/service.log" 2>&1 &
"""
