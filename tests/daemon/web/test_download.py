"""Finished files over HTTP: whole, in ranges, once more only if changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from daemon.web.access import access_rules
from tests.daemon.web.house import House, administered, opened, running, services_at

FILM = bytes(range(256)) * 1024
SHA256 = hashlib.sha256(FILM).hexdigest()


def finished(house: House) -> str:
    """Have a film made; its path."""
    job_id = house.submit()["job_id"]
    house.finish(job_id, film=FILM, thumbnail=b"jpeg")
    return f"/v1/download/{job_id}.mp4"


@pytest.fixture(scope="module")
def film(shared: House) -> str:
    """The path of a finished film that stays."""
    return finished(shared)


def test_a_film_comes_whole_with_everything_a_client_wants_to_know(shared: House, film: str) -> None:
    answer = shared.client.get(film)
    assert answer.status_code == 200
    assert answer.content == FILM
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(FILM))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith(f'"{SHA256}')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == f'attachment; filename="{film.rpartition("/")[2]}"'
    assert "last-modified" in answer.headers


def test_the_thumbnail_has_its_own_type_and_tag(shared: House, film: str) -> None:
    answer = shared.client.get(film.replace(".mp4", ".jpg"))
    assert (answer.status_code, answer.content) == (200, b"jpeg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["etag"] != shared.client.get(film).headers["etag"]


def test_head_says_the_same_without_the_film(shared: House, film: str) -> None:
    head, get = shared.client.head(film), shared.client.get(film)
    assert head.status_code == 200
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(FILM)),
        ("bytes=100-299", 100, 300),
        ("BYTES= 100-299", 100, 300),
        ("bytes=-100", len(FILM) - 100, len(FILM)),
        ("bytes=-999999999", 0, len(FILM)),
        (f"bytes={len(FILM) - 5}-{len(FILM) + 500}", len(FILM) - 5, len(FILM)),
        (f"bytes=10-19,{len(FILM)}-", 10, 20),
        ("bytes=0-9,5-19", 0, 20),
    ],
)
def test_one_range(shared: House, film: str, asked: str, start: int, end: int) -> None:
    answer = shared.client.get(film, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == FILM[start:end]
    assert answer.headers["content-length"] == str(end - start)
    if "," not in asked or ("," in asked and end - start == 10):
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(FILM)}"


def test_several_ranges(shared: House, film: str) -> None:
    answer = shared.client.get(film, headers={"Range": "bytes=0-9,100-109,-10"})
    assert answer.status_code == 206
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert answer.headers["content-length"] == str(len(answer.content))
    parts = answer.content.split(b"--" + boundary.encode())[1:-1]
    assert [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts] == [
        FILM[:10],
        FILM[100:110],
        FILM[-10:],
    ]


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-5", "bytes=a-b", "bytes=", "bytes", "items=0-5", "bytes=--5", "bytes=1-2-3", "bytes=0-1,x", "é=1-2"],
)
def test_a_range_that_is_none_is_ignored(shared: House, film: str, asked: str) -> None:
    answer = shared.client.get(film, headers={b"Range": asked.encode("latin-1")})
    assert (answer.status_code, answer.content) == (200, FILM)


@pytest.mark.parametrize("asked", [f"bytes={len(FILM)}-", "bytes=-0", "bytes=99999999999-", "bytes=999999-,-0"])
def test_a_range_outside_the_film_is_refused_with_its_size(shared: House, film: str, asked: str) -> None:
    answer = shared.client.get(film, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(FILM)}"
    assert answer.json()["status"] == 416
    assert str(len(FILM)) in answer.json()["message"]


def test_a_hundred_thousand_ranges_cost_one_film(shared: House, film: str) -> None:
    asked = "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 8000, 2))
    answer = shared.client.get(film, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, FILM)


def test_a_range_holds_only_for_the_film_it_was_meant_for(shared: House, film: str) -> None:
    etag = shared.client.get(film).headers["etag"]
    same = shared.client.get(film, headers={"Range": "bytes=0-9", "If-Range": etag})
    assert (same.status_code, same.content) == (206, FILM[:10])
    for other in ('"other"', f"W/{etag}", "Sat, 29 Oct 1994 19:43:31 GMT"):
        answer = shared.client.get(film, headers={"Range": "bytes=0-9", "If-Range": other})
        assert (answer.status_code, answer.content) == (200, FILM)


def test_a_film_that_the_client_has_is_not_sent_again(shared: House, film: str) -> None:
    etag = shared.client.get(film).headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        answer = shared.client.get(film, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert shared.client.get(film, headers={"If-None-Match": '"x"'}).status_code == 200


def test_before_it_is_ready_the_answer_is_409_with_the_status(house: House) -> None:
    job_id = house.submit()["job_id"]
    answer = house.client.get(f"/v1/download/{job_id}.mp4")
    assert (answer.status_code, answer.json()["job_status"]) == (409, "in_queue")
    house.claim(job_id)
    answer = house.client.get(f"/v1/download/{job_id}.jpg")
    assert (answer.status_code, answer.json()["job_status"]) == (409, "rendering")
    assert "rendering" in answer.json()["message"]


def stored(house: House, film: str) -> Path:
    """Where the file behind a link lies."""
    name, suffix = film.rpartition("/")[2].split(".")
    return house.films / f"{house.jobs.get(name).film}.{suffix}"


def test_after_the_file_is_gone_the_answer_is_410(house: House) -> None:
    film = finished(house)
    stored(house, film).unlink()
    answer = house.client.get(film)
    assert (answer.status_code, answer.json()["status"]) == (410, 410)


@pytest.fixture(scope="module")
def handing_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose proxy sends films itself."""
    services = administered(services_at(tmp_path_factory.mktemp("handing-over")))
    with opened(replace(services, accel_redirect="/films/"), []) as made:
        yield made


def test_a_proxy_is_told_to_send_the_film_itself(handing_over: House) -> None:
    film = finished(handing_over)
    for method in ("GET", "HEAD"):
        answer = handing_over.client.request(method, film, headers={"Range": "bytes=0-0"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-accel-redirect"] == f"/films/{stored(handing_over, film).name}"
        assert answer.headers["etag"].startswith(f'"{SHA256}')
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["content-disposition"] == f'attachment; filename="{film.rpartition("/")[2]}"'
    known = handing_over.client.get(film, headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, "x-accel-redirect" in known.headers) == (304, False)
    refused = [handing_over.nobody.get(film), handing_over.stranger.get(film), handing_over.client.get(film + "x")]
    assert [one.status_code for one in refused] == [401, 404, 404]
    assert not any("x-accel-redirect" in one.headers for one in refused)


def test_who_is_no_proxy_gets_the_film_itself(handing_over: House) -> None:
    film = finished(handing_over)
    direct = replace(handing_over.services, access=access_rules(trusted_proxies=["192.0.2.1", "unix"]))
    with running(direct) as server:
        answer = httpx2.get(server.url + film, headers={"X-Api-Key": handing_over.key}, trust_env=False)
    assert answer.content == FILM
    assert "x-accel-redirect" not in answer.headers


def test_a_link_in_the_films_folder_is_not_followed(house: House) -> None:
    film = finished(house)
    path = stored(house, film)
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert house.client.get(film).status_code == 410


def test_somebody_elses_film_is_a_404_as_if_there_were_none(shared: House, film: str) -> None:
    unknown = "/v1/download/job_00000000000000000000.mp4"
    answers = [shared.stranger.get(url) for url in (film, unknown)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(film, unknown) == answers[1].text


@pytest.mark.parametrize(
    "name",
    [
        "job_00000000000000000000.mp4",
        "job_00000000000000000000.avi",
        "job_00000000000000000000.mp4%00.jpg",
        "JOB_00000000000000000000.mp4",
        "job_1.mp4",
        "x",
        ".mp4",
        "%ff",
        "%2e%2e%2fvix.db",
        "..%2f..%2fetc%2fpasswd",
    ],
)
def test_names_that_are_no_film(shared: House, name: str) -> None:
    assert shared.client.get(f"/v1/download/{name}").status_code == 404
