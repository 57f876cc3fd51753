"""The sites as they lie there: they say the same where they mean the same, and their limits fit those of the code."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from daemon.web.bodies import MAX_BODY_BYTES
from daemon.web.connection import USUAL
from tests.source_tree import ROOT

FOLDER = ROOT / "nginx"
SITES = {name: (FOLDER / name).read_text() for name in ("vix.conf", "vix-local.conf")}
SHARED = [text.partition("# --- From here on")[2].partition("# --- to here")[0] for text in SITES.values()]
BOTH = pytest.mark.parametrize("text", SITES.values(), ids=SITES)


def value(text: str, directive: str) -> list[str]:
    return re.findall(rf"^\s*{directive} (.+);$", text, re.MULTILINE)


def test_both_sites_are_the_same_behind_the_door() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*SITES, "vix-first.conf"}
    assert SHARED[0] == SHARED[1] != ""
    before = [text.partition("upstream vix_api")[2].partition("server {\n")[0] for text in SITES.values()]
    assert before[0].partition("log_format")[2].split(";")[0] == before[1].partition("log_format")[2].split(";")[0]


@BOTH
def test_only_these_have_to_be_filled_in(text: str) -> None:
    assert set(re.findall(r"@[A-Z]+@", text)) in ({"@DOMAIN@"}, {"@PORT@"})


@BOTH
def test_clients_have_limits_and_no_say_in_who_they_are(text: str) -> None:
    """Requirement 26 of reliability.md."""
    assert "server unix:/run/vix/api/socket;" in text
    assert value(text, "proxy_set_header X-Forwarded-For") == ["$remote_addr"]
    assert "proxy_add_x_forwarded_for" not in text
    assert set(value(text, "client_header_timeout")) == {"10s"}
    assert value(text, "client_body_timeout") == ["10s"]
    assert value(text, "proxy_request_buffering") == ["on"]
    assert value(text, "client_max_body_size")[0] == f"{MAX_BODY_BYTES // 2**20}m"
    assert value(text, "limit_req zone=vix_requests burst=100")
    # Headers stand in one place: a location that names one of its own would lose all others.
    assert (
        len(value(text, "proxy_set_header")) == text.count("proxy_set_header ") == text.count("    proxy_set_header ")
    )
    assert "        proxy_set_header" not in text


def test_strangers_to_the_name_get_no_answer() -> None:
    servers = [part for part in SITES["vix.conf"].split("server {\n") if "default_server" in part]
    assert len(servers) == 1
    assert "listen 80 default_server;" in servers[0]
    assert "listen 443 ssl http2 default_server;" in servers[0]
    assert value(servers[0], "return") == ["444"]


@BOTH
def test_the_longest_answers_are_waited_for(text: str) -> None:
    (read_s,) = (int(one.removesuffix("s")) for one in value(text, "proxy_read_timeout"))
    assert read_s > 60 + 15  # `?wait=60`, and a database that is slow to tell
    assert int(value(text, "keepalive_timeout")[0].removesuffix("s")) < USUAL.idle_s
    assert int(value(text, "limit_conn vix_connections")[0]) <= USUAL.per_address
    assert "text/event-stream" not in value(text, "gzip_types")[0]


@BOTH
def test_each_block_is_explained(text: str) -> None:
    lines = [line.strip() for line in text.splitlines()]
    begins = [
        line
        for before, line in pairwise(lines)
        if before == "" and line and not line.startswith(("#", "server {", "set $"))
    ]
    assert begins == []
    assert sum(line.startswith("#") for line in lines) > len(lines) / 5


def test_the_first_site_answers_certbot_as_the_real_one_does() -> None:
    text = (FOLDER / "vix-first.conf").read_text()
    (location,) = re.findall(r"    location \^~ /\.well-known/[^}]+}", text)
    assert location in SITES["vix.conf"]
    assert "proxy_pass" not in text
