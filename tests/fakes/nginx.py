"""Runs the real Nginx on a site of ours: as whoever runs the tests, in a folder of its own, on free ports of loopback.

Only what cannot be here is replaced in the site: names, ports, paths and what a test says.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.service import eventually

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
DOMAIN = "films.example"
_PATHS = re.compile(r"(?<![\w./])/(?=(?:etc|var|run)/)")
_LISTEN = re.compile(r"^(\s*listen )(\d+)\b", re.MULTILINE)
_MAIN = """
daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/nginx.log info;
{user}
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {root}/parts/body;
    proxy_temp_path {root}/parts/proxy;
    fastcgi_temp_path {root}/parts/fastcgi;
    uwsgi_temp_path {root}/parts/uwsgi;
    scgi_temp_path {root}/parts/scgi;
    {types}
    include {root}/site.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running one; `ports` are the ports that stand for those in the site's file."""

    root: Path
    ports: Mapping[int, int]

    def log(self, name: str = "nginx.log") -> str:
        file = self.root / name
        return file.read_text("utf-8", "replace") if file.exists() else ""


@contextmanager
def nginx(site: Path, root: Path, replaced: Mapping[str, str]) -> Iterator[Nginx]:
    """Serve a site whose absolute paths lie below `root`; each text in `replaced` has to stand there."""
    text = site.read_text()
    for old, new in {"@DOMAIN@": DOMAIN, "@PORT@": "8088", **replaced}.items():
        assert old in text or old.startswith("@"), f"{site.name} has no {old!r}"
        text = text.replace(old, new)
    text = re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.MULTILINE)
    ports = {int(number): _free_port() for number in {match[2] for match in _LISTEN.finditer(text)}}
    text = _LISTEN.sub(lambda match: f"{match[1]}127.0.0.1:{ports[int(match[2])]}", text)
    for folder in ("parts", "var/log/nginx", "var/www/html"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "site.conf").write_text(_PATHS.sub(f"{root}/", text))
    types = Path("/etc/nginx/mime.types")
    is_root = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout.strip() == "0"
    main = _MAIN.format(
        root=root, user="user root;" if is_root else "", types=f"include {types};" if types.exists() else ""
    )
    (root / "nginx.conf").write_text(main)
    command = [str(NGINX), "-p", str(root), "-c", str(root / "nginx.conf")]
    checked = subprocess.run([*command, "-t", "-q"], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = Nginx(root, ports)
    try:
        eventually(lambda: all(map(_answers, ports.values())) or process.poll() is not None, "nginx listens")
        assert process.poll() is None, made.log()
        yield made
    finally:
        process.terminate()
        process.wait(30)


def certificate(root: Path) -> Path:
    """Make a certificate that is its own issuer, where certbot puts one."""
    folder = root / "etc/letsencrypt/live" / DOMAIN
    folder.mkdir(parents=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}", "-days", "2"),
            *("-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")),
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return folder / "fullchain.pem"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
