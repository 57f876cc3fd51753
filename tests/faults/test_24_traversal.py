"""Row 24: no path, name or id leads out of the folders that are for it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.web.doors import DOORS
from daemon.web.pace import Pace
from tests.daemon.web.house import House, opened, services_at

CANARY = "canary-4711"
# As they go over the wire; h11 refuses none of the visible ones.
STRINGS = [
    "..",
    "../..",
    "../../../../../../etc/passwd",
    "../canary.txt",
    "..%2fcanary.txt",
    "%2e%2e%2fcanary.txt",
    "%2e%2e/canary.txt",
    "..%252fcanary.txt",
    "%252e%252e%252fcanary.txt",
    "..%c0%afcanary.txt",
    "..%ef%bc%8fcanary.txt",
    "..\\canary.txt",
    "..%5ccanary.txt",
    "....//canary.txt",
    "....%2f%2fcanary.txt",
    "..;/canary.txt",
    "./canary.txt",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "~",
    "~root",
    "%00",
    "canary.txt%00.mp4",
    "job_aaaaaaaaaaaaaaaaaaaa.mp4%00",
    "job_aaaaaaaaaaaaaaaaaaaa%00.mp4",
    "job_aaaaaaaaaaaaaaaaaaaa.mp4/",
    "job_aaaaaaaaaaaaaaaaaaaa.mp4%2f..%2f..%2fcanary.txt",
    "job_aaaaaaaaaaaaaaaaaaaa.mp4%0a",
    "job_AAAAAAAAAAAAAAAAAAAA.mp4",
    "job_%61aaaaaaaaaaaaaaaaaaa.MP4",
    "job_aaaaaaaaaaaaaaaaaaaa.mp4.part",
    "job_aaaaaaaaaaaaaaaaaaaa.db",
    "vix.db",
    "secret",
    "link.mp4",
    "link",
    "CON",
    "a" * 5000,
    "%ff%fe",
    "%F0%9F%98%80",
    "*",
    "?",
    "$(cat ../canary.txt)",
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with secrets outside and inside, and links that lead to them where somebody might look."""
    outside = tmp_path_factory.mktemp("outside")
    unhurried = Pace("dry_run", 0, "")  # as fast as anybody likes
    with opened(replace(services_at(outside / "data"), dry_runs=unhurried), []) as house:
        for path in (outside / "canary.txt", house.data / "canary.txt", house.data / "secret"):
            path.write_text(CANARY)
        for place in (house.films / "link.mp4", house.data / "library" / "logos" / "link.png"):
            place.symlink_to(outside / "canary.txt")
        yield house


def raw_get(house: House, path: str) -> tuple[int, bytes]:
    """Send a path as it stands; clients would tidy it up."""
    host, port = house.url.removeprefix("http://").split(":")
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {house.key}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode("latin-1"))
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(said.split()[1]), said


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
def test_paths_that_lead_elsewhere_are_a_404(guarded: House, text: str) -> None:
    doors = {door.path for door in DOORS if "{" in door.path and not door.path.startswith("/admin")}
    assert len(doors) >= 5
    for path in (*sorted(doors), "/{any}", "/docs/{any}", "/static/{any}", "/v1/{any}"):
        before, _, after = path.partition("{")
        sent = before + text.replace(" ", "%20") + after.partition("}")[2]
        status, said = raw_get(guarded, sent)
        # A question mark ends the path; what is left of it may be a path that is there.
        assert status in {400, 404, 405} or sent.startswith("/?"), (sent, said[:200])
        assert status < 500, sent
        assert CANARY.encode() not in said, sent
        assert str(guarded.data).encode() not in said, sent


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
@pytest.mark.parametrize("dry", ["", "?dry_run=1"], ids=["submit", "dry run"])
def test_names_that_lead_elsewhere_are_a_422(guarded: House, text: str, dry: str) -> None:
    fields = {
        "video.style": {"video": {"style": text}},
        "audio.audio": {"audio": {"audio": text}},
        "logo.name": {"logo": {"name": text}},
        "text_overlays[0].font": {"text_overlays": [{"text": "a", "font": text}]},
        "signature.font": {"signature": {"text": "a", "font": text}},
    }
    for field, spec in fields.items():
        answer = guarded.client.post(f"/v1/generate{dry}", content=json.dumps(spec))
        assert answer.status_code == 422, (field, text)
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert CANARY not in answer.text
        assert str(guarded.data) not in answer.text
    assert not guarded.views.waiting()


def test_a_film_that_is_a_link_is_not_given_out(guarded: House, tmp_path: Path) -> None:
    job_id = guarded.submit()["job_id"]
    guarded.finish(job_id, b"film")
    film = guarded.films / f"{guarded.jobs.get(job_id).film}.mp4"
    assert guarded.client.get(f"/v1/download/{job_id}.mp4").content == b"film"
    film.unlink()
    film.symlink_to(guarded.data / "secret")
    answer = guarded.client.get(f"/v1/download/{job_id}.mp4")
    assert (answer.status_code, CANARY in answer.text) == (410, False)
