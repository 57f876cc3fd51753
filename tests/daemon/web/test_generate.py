"""Asking for a film: what is taken, what is refused, and that nothing breaks the door."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import string
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from daemon.commands.demo import REQUEST
from tests.daemon.web.house import House, opened
from tests.daemon.workers import eventually


def test_the_founding_request_is_taken(house: House) -> None:
    answer = house.client.post("/v1/generate", json=REQUEST)
    assert answer.status_code == 202
    said = answer.json()
    assert answer.headers["location"] == said["status_url"] == f"{house.url}/v1/status/{said['job_id']}"
    assert said["download_url"] == f"{house.url}/v1/download/{said['job_id']}.mp4"
    assert (said["status"], said["queue_position"]) == ("in_queue", 1)
    assert said["estimated_time_remaining_s"] > 0
    job = house.jobs.get(said["job_id"])
    assert (job.kind, job.spec, job.film_s) == ("template", REQUEST, 15)
    eventually(lambda: house.rung == [job.id], "the worker is woken")


def test_what_no_font_can_draw_is_named_at_once(house: House) -> None:
    """In the answer and in every status until the film is there; and by a dry run, though its clips are not known."""
    drawn = {"text": "Grüße 😀 مرحبا 漢字 {{more}}"}
    odd = {"text": "a \U000f0001 \U000f0002"}
    asked = {"text_overlays": [drawn, odd], "signature": odd, "variables": {"more": "\U000f0003"}}
    said = house.client.post("/v1/generate", json=asked).json()
    (warning,) = said["warnings"]
    assert "U+F0003 \U000f0003, U+F0001 \U000f0001, U+F0002 \U000f0002;" in warning
    assert house.client.get(f"/v1/status/{said['job_id']}").json()["warnings"] == [warning]
    dry = house.client.post("/v1/generate?dry_run=1", json=asked).json()
    assert dry["warnings"][0] == warning
    assert house.submit({"text_overlays": [{"text": "Grüße 😀 مرحبا 漢字"}]})["warnings"] == []


def test_a_slow_doorbell_holds_up_no_answer(house: House) -> None:
    answered, rung = threading.Event(), threading.Event()

    def ring(job_id: str) -> None:
        assert answered.wait(60)
        rung.set()

    with opened(replace(house.services, ring=ring), []) as slow:
        assert slow.client.post("/v1/generate", json={}).status_code == 202
        answered.set()
        assert rung.wait(60)


def test_a_stored_job_is_a_202_even_where_its_place_is_not_known(house: House) -> None:
    """An error would have n8n send it again, and a second film be made."""
    house.finish(house.submit()["job_id"], b"film")
    with closing(sqlite3.connect(house.data / "vix.db")) as connection, connection:
        connection.execute("update job set result = 'no json'")
    answer = house.client.post("/v1/generate", json={})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["queue_position"], answer.json()["estimated_time_remaining_s"]) == (None, None)
    assert house.views.waiting() == 1


def test_parameters_of_the_url_are_not_ignored(shared: House) -> None:
    answer = shared.client.post("/v1/generate?dry_run=1&%00&dry_run=2&x&dryrun=1", json={})
    assert answer.status_code == 422
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert set(errors) == {"dry_run", "\x00", "x", "dryrun"}
    assert "twice" in errors["dry_run"]
    assert '"dry_run"' in errors["dryrun"]
    assert "dry_run" in errors["x"]
    answer = shared.client.post("/v1/generate?dry_run=maybe", json={})
    assert [error["field"] for error in answer.json()["errors"]] == ["dry_run"]
    assert not shared.views.waiting()


def test_frames_and_quality_count_in_the_estimate(house: House) -> None:
    plain, heavy = (house.submit({"video": {"duration": 10}, "output": {"fps": fps}}) for fps in (30, 60))
    high = house.submit({"video": {"duration": 10}, "output": {"quality": "high"}})
    works = [house.jobs.get(job["job_id"]).work for job in (plain, heavy, high)]
    assert [work / works[0] for work in works] == pytest.approx([1, 2, 3])


def test_an_empty_object_is_a_valid_request(house: House) -> None:
    answer = house.client.post("/v1/generate", content=b"{}")
    assert answer.status_code == 202
    assert house.jobs.get(answer.json()["job_id"]).film_s == 60


def test_the_seed_is_kept_or_drawn(house: House) -> None:
    seeds = [house.jobs.get(house.submit({"seed": seed})["job_id"]).seed for seed in (7, 0, None, None)]
    assert seeds[:2] == [7, 0]
    assert seeds[2] != seeds[3]


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", None])
def test_types_that_are_read(house: House, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert house.client.post("/v1/generate", content=b"{}", headers=headers).status_code == 202


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "é", "x"],
)
def test_types_that_are_not_read(shared: House, kind: str) -> None:
    headers = {b"Content-Type": kind.encode("latin-1")}
    answer = shared.client.post("/v1/generate", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["message"]


def test_a_compressed_body_is_not_read(shared: House) -> None:
    answer = shared.client.post("/v1/generate", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["message"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(house: House) -> None:
    large = b" " * (1024 * 1024 + 1)

    def pieces() -> Iterator[bytes]:
        for _ in range(64):
            yield large[: 64 * 1024]

    for content in (large, pieces()):
        answer = house.client.post("/v1/generate", content=content)
        assert (answer.status_code, answer.json()["status"]) == (413, 413)
    fits = b"{}" + b" " * (1024 * 1024 - 2)
    assert house.client.post("/v1/generate", content=fits).status_code == 202


def test_a_body_that_says_it_is_large_is_refused_at_once(shared: House) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = (
            f"POST /v1/generate HTTP/1.1\r\nHost: x\r\nX-Api-Key: {shared.key}\r\nContent-Length: 99999999999\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_every_wrong_field_is_named_at_once(shared: House) -> None:
    spec = {
        "video": {"speed": 99, "sped": 1, "duration": "x" * 50},
        "text_overlays": [{"text": "ok"}, {"font_size": "secret-value", "positionxy": ["top", "top"]}],
        "signature": 5,
    }
    answer = shared.client.post("/v1/generate", json=spec)
    assert answer.status_code == 422
    said = answer.json()
    fields = {error["field"]: error for error in said["errors"]}
    assert set(fields) == {
        "video.speed",
        "video.sped",
        "video.duration",
        "text_overlays[1].font_size",
        "text_overlays[1].positionxy",
        "signature",
    }
    assert fields["signature"]["value_type"] == "number"
    assert "Did you mean" in fields["video.sped"]["message"]
    assert said["message"].startswith(said["errors"][0]["field"] + ": ")
    assert "5 more fields are wrong" in said["message"]
    assert "secret-value" not in answer.text
    assert not shared.views.waiting()


@pytest.mark.parametrize(
    ("spec", "field", "hint"),
    [
        ({"video": {"style": "wavez"}}, "video.style", "waves"),
        ({"audio": {"audio": "clam"}}, "audio.audio", "calm"),
        ({"logo": {"name": "log.png"}}, "logo.name", "logo.png"),
        ({"text_overlays": [{"text": "a", "font": "Ariel"}]}, "text_overlays[0].font", "Arial"),
        ({"signature": {"text": "a", "font": "Ariel"}}, "signature.font", "Arial"),
    ],
)
def test_names_that_nothing_bears(shared: House, spec: dict[str, Any], field: str, hint: str) -> None:
    answer = shared.client.post("/v1/generate", json=spec)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert f'"{hint}"' in answer.json()["message"]


@pytest.mark.parametrize(
    "name", ["..", "../..", "/etc/passwd", "a\x00b", "\x00", ".", "styles/waves", "~", "link", "\ud800"]
)
@pytest.mark.parametrize("member", [("video", "style"), ("audio", "audio"), ("logo", "name")])
def test_names_that_lead_elsewhere_are_refused(shared: House, member: tuple[str, str], name: str) -> None:
    section, field = member
    answer = shared.client.post("/v1/generate", content=json.dumps({section: {field: name}}))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"{section}.{field}"]
    assert not shared.views.waiting()


def test_large_but_right_requests_are_taken(house: House) -> None:
    overlays = [{"text": f"{i} 😀 \u0645\u0631\u062d\u0628\u0627 \x00 {{}}"} for i in range(200)]
    assert house.client.post("/v1/generate", json={"text_overlays": overlays}).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"text_overlays": [{"text": "x" * 10_000}]}).encode(),
        json.dumps({"text_overlays": [{"text": "x"}] * 201}).encode(),
        json.dumps({"text_overlays": [{"text": "\ud800"}]}).encode(),
        json.dumps({"text_overlays": {"0": {"text": "x"}}}).encode(),
        json.dumps({"text_overlays": [[]] * 5000}).encode(),
        json.dumps({"\ud800" * 500: 1, "": 2, "a.b[0]": 3, "\x00": 4}).encode(),
        json.dumps({f"field{i}": i for i in range(3000)}).encode(),
        json.dumps({"video": {"duration": 10**300}}).encode(),
        json.dumps({"video": {"duration": -(10**4000)}}).encode(),
        json.dumps({"seed": 10**400}).encode(),
        json.dumps({"seed": -1}).encode(),
        json.dumps({"seed": True}).encode(),
        json.dumps({"client_data": "x" * 5000}).encode(),
        json.dumps({"client_data": [[[[]]]] * 2000}).encode(),
        b'{"video": {"speed": NaN}}',
        b'{"video": {"speed": 1e309}, "client_data": {"a": -Infinity}}',
        b'{"client_data": 1e999}',
        b"[]",
        b"null",
        b'"x"',
        b"1",
        b"true",
    ],
    ids=range(22),
)
def test_hostile_but_readable_bodies_are_a_422(shared: House, body: bytes) -> None:
    answer = shared.client.post("/v1/generate", content=body)
    assert answer.status_code == 422, answer.text
    said = answer.json()
    assert said["errors"]
    assert all(error["field"] and error["message"] and error["value_type"] != "unknown" for error in said["errors"])
    assert len(said["message"]) < 500
    assert not shared.views.waiting()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"a":' * 5000, b"[" * 100_000, b'{"seed": ' + b"1" * 5000 + b"}"],
    ids=range(7),
)
def test_unreadable_bodies_are_a_400(shared: House, body: bytes) -> None:
    answer = shared.client.post("/v1/generate", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(("The body", "An object of the body"))
    assert not shared.views.waiting()


@pytest.mark.parametrize("place", ["text_overlays[0].font", "signature.font"])
@pytest.mark.parametrize("font", ["", " ", "\u200b"])
def test_a_font_without_a_name_is_refused(shared: House, place: str, font: str) -> None:
    words = {"text": "Hello", "font": font}
    spec = {"signature": words} if place.startswith("signature") else {"text_overlays": [words]}
    answer = shared.client.post("/v1/generate", json=spec)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [place]


def test_random_changes_of_the_founding_request_are_answered(house: House) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    odd: list[Any] = [
        None,
        True,
        -1,
        0,
        1e308,
        10**30,
        "",
        "x" * 300,
        "\ud800",
        "a\x00",
        [],
        {},
        [[]],
        {"a": 1},
        [1, 2, 3, 4],
        "-5",
    ]
    statuses = []
    for _ in range(150):
        spec = json.loads(json.dumps(REQUEST))
        places = [spec, spec["video"], spec["text_overlays"][0], spec["logo"], spec["signature"]]
        for _ in range(rng.randint(1, 3)):
            place = rng.choice(places)
            place[rng.choice([*place, "".join(rng.choices(string.printable, k=5))])] = rng.choice(odd)
        statuses.append(house.client.post("/v1/generate", content=json.dumps(spec)).status_code)
    assert set(statuses) <= {202, 422}
    assert 422 in statuses
