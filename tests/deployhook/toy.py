"""The files of a release that is as small as a release can be. Empty files beside them make it go wrong: `crash`,
`unhealthy`, `no-worker`, `bad-prepare`, `slow-prepare`, `big-prepare`, `bad-help`, `slow-start`."""

from __future__ import annotations

VIX = """#!/usr/bin/env bash
root=$(dirname "$(readlink -f "$0")")
has() { [ -e "$root/$1" ]; }
case "$1" in
prepare)
    if has slow-prepare; then sleep 1.5; fi
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
import json, os, pathlib, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

root = pathlib.Path(__file__).resolve().parent
if (root / "crash").exists():
    sys.exit("it does not start")
if (root / "slow-start").exists():
    time.sleep(2)
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


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# Does what systemctl does with a service: ends the old process, waits for that, starts the new one and goes.
SYSTEMCTL = """#!/usr/bin/env bash
cd "{base}" || exit 1
basename "$(readlink current)" >>"{yard}/restarts"
if pid=$(cat "{yard}/pid" 2>/dev/null); then
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
fi
setsid "{python}" -I -S current/server.py {port} </dev/null >>"{yard}/service.log" 2>&1 &
echo $! >"{yard}/pid"
"""
