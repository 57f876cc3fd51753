"""A stand-in of Google Fonts: the catalogue of both routes, style sheets and files, well or as badly as `mode` says."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

SLOW_S = 3.0
FAMILIES = {"Inter": ("400", "700", "700i"), "Lobster Two": ("400",), "Noto Sans Runic": ("400",)}


@dataclass
class FakeGoogle:
    """`font(family, weight, italic)` makes a file; `mode` is how the server behaves, `elsewhere` where files are said
    to be; `asked` counts what was asked for, `agents` are who asked."""

    font: Callable[[str, int, bool], bytes]
    url: str = ""
    mode: str = "well"
    elsewhere: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    agents: set[str] = field(default_factory=set)

    def answer(self, target: str) -> tuple[int, str, bytes]:
        """Status, type and body for a path with its query."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if parts.path == "/webfonts/v1/webfonts":
            return (200, "json", self._developer()) if query.get("key") == ["good"] else (400, "json", b"{}")
        if parts.path == "/metadata/fonts":
            return 200, "json", b")]}'\n" + json.dumps({"familyMetadataList": self._website()}).encode()
        if parts.path == "/css2":
            return self._css(query["family"][0])
        if not parts.path.startswith("/s/"):
            return 404, "text/html", b"<html>404</html>"
        family, _, variant = parts.path.removeprefix("/s/").removesuffix(".ttf").rpartition("-")
        weight, italic = int(variant.rstrip("i")), variant.endswith("i")
        return 200, "font/ttf", self.font(family.replace("_", " "), weight, italic)

    def _website(self) -> list[dict[str, Any]]:
        return [
            {"family": name, "category": "Sans Serif", "fonts": {variant: {} for variant in variants}}
            for name, variants in FAMILIES.items()
        ]

    def _developer(self) -> bytes:
        items = []
        for name, variants in FAMILIES.items():
            styles = {one: one.replace("400", "regular").replace("i", "italic") for one in variants}
            files = {style: self._file(name, one) for one, style in styles.items()}
            items.append({"family": name, "category": "serif", "variants": list(files), "files": files})
        return json.dumps({"items": items}).encode()

    def _css(self, wanted: str) -> tuple[int, str, bytes]:
        family, _, axes = wanted.partition(":")
        variant = axes.rpartition("@")[2] or "400"
        variant = f"{variant[2:]}i" if variant.startswith("1,") else variant
        if variant not in FAMILIES.get(family, ()):
            return 400, "text/html", b"<html>400: Missing font family</html>"
        css = f"@font-face {{ font-family: '{family}'; src: url({self._file(family, variant)}) format('truetype'); }}"
        return 200, "text/css", css.encode()

    def _file(self, family: str, variant: str) -> str:
        return f"{self.elsewhere or self.url}/s/{family.replace(' ', '_')}-{variant}.ttf"


@contextmanager
def fake_google(font: Callable[[str, int, bool], bytes]) -> Iterator[FakeGoogle]:
    """Run a stand-in until the block ends."""
    google = FakeGoogle(font)
    closing = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            google.asked[urlsplit(self.path).path] += 1
            google.agents.add(self.headers.get("User-Agent", ""))
            with suppress(OSError):
                self._behave(google.mode)

        def _behave(self, mode: str) -> None:
            if mode == "slow":
                closing.wait(SLOW_S)
            if mode == "500":
                return self._send(500, "text/html", b"<html>sorry</html>")
            if mode == "html":
                return self._send(200, "text/html", b"<html>log in to this network</html>")
            if mode == "redirect":
                self.send_response(302)
                self.send_header("Location", google.elsewhere + self.path)
                return self.end_headers()
            status, kind, body = google.answer(self.path)
            if mode == "late file" and kind == "font/ttf":
                time.sleep(0.5)
            if mode == "wrong magic" and kind == "font/ttf":
                body = b"wOF2" + body[4:]
            if mode == "half" and kind == "font/ttf":
                body = body[: len(body) // 2]
            self._send(status, kind, body, longer=len(body) if mode == "truncated" else 0)

        def _send(self, status: int, kind: str, body: bytes, longer: int = 0) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) + longer))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what they have to say themselves."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    google.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield google
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
