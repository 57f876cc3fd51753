"""Every refusal has one shape, and says what to do."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.exceptions import HTTPException

import daemon.errors
from daemon.sources.library import Library
from daemon.store.database import open_database
from daemon.web.errors import RULES, rule_for, spec_sentence
from render.errors import FieldProblem, SpecError
from tests.daemon.web.house import House, opened, services_at

MEMBERS = ["type", "title", "status", "detail", "instance", "message"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/generate/", "/v1/status/", "/v1/styles//", "/v1/status/a/b", "/%00", "/é"]
)
def test_an_unknown_path(shared: House, path: str) -> None:
    answer = shared.client.get(path)
    assert answer.status_code == 404
    said = answer.json()
    assert list(said) == MEMBERS
    assert (said["type"], said["title"], said["status"]) == ("urn:vix:error:not_found", "Not Found", 404)
    assert "POST /v1/generate" in said["message"]
    assert said["instance"].isascii()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/generate", {"POST"}),
        ("DELETE", "/v1/styles", {"GET", "HEAD"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("BREW", "/health", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method(shared: House, method: str, path: str, allowed: set[str]) -> None:
    answer = shared.client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == allowed
    assert list(answer.json()) == MEMBERS
    assert all(name in answer.json()["message"] for name in allowed)


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        ("*/*", False),
        ("application/json,text/html,application/xhtml+xml,application/xml;q=0.9,image/*;q=0.8, */*;q=0.7", False),
        ("text/html", False),
        ("application/*", False),
        ("application/problem+json", True),
        ("text/html, Application/Problem+JSON ; q=0.5", True),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=0.000, */*", False),
        ("application/problem+jsonx", False),
        ("é,;;q", False),
    ],
)
def test_the_problem_type_is_sent_to_those_who_name_it(shared: House, accept: str, problem: bool) -> None:
    answer = shared.client.get("/nothing", headers={b"Accept": accept.encode("latin-1")})
    assert answer.headers["content-type"] == ("application/problem+json" if problem else "application/json")
    assert answer.json()["status"] == 404


def test_what_nobody_expected_is_a_500_that_tells_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Library):
        def tracks(self) -> dict[str, Path]:
            exc = RuntimeError("s3cret words of an exception")
            exc.code = "s3cret"  # type: ignore[attr-defined]
            raise exc

    services = replace(house.services, library=Broken(house.services.library.root))
    with opened(services, []) as broken, caplog.at_level(logging.ERROR):
        answer = broken.client.get("/v1/audio")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == MEMBERS
        assert answer.json()["type"] == "urn:vix:error:internal"
        assert "s3cret" not in answer.text
        assert "Traceback" not in answer.text
        assert broken.client.get("/v1/styles").status_code == 200
    assert "s3cret words" in caplog.text


def test_a_database_held_by_somebody_else_is_a_503(tmp_path: Path) -> None:
    services = services_at(tmp_path, busy_s=0.1)
    with opened(services, []) as house:
        with open_database(tmp_path / "vix.db").write():
            answer = house.client.post("/v1/generate", json={})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "urn:vix:error:database_busy"
            assert house.client.get("/v1/styles").status_code == 200
        assert house.client.post("/v1/generate", json={}).status_code == 202


def test_a_broken_database_is_a_503_that_health_knows_of(house: House) -> None:
    house.submit()
    # Not by writing into the file: SQLite has its index mapped, and this very process would die of that.
    with closing(sqlite3.connect(house.data / "vix.db")) as connection, connection:
        connection.execute("drop table job")
    answer = house.client.post("/v1/generate", json={})
    assert answer.status_code == 503, answer.text
    assert "retry-after" in answer.headers
    assert str(house.data) not in answer.text
    health = house.nobody.get("/health")
    assert (health.status_code, health.json()["checks"]["database"]["ok"]) == (503, False)


FULL_DISK = """
import resource, sys
from pathlib import Path
from daemon.web.app import create_app
from daemon.web.server import serve
from tests.daemon.web.house import services_at
services = services_at(Path(sys.argv[1]))
print(services.keys.create("one")[1], flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
serve(create_app(services), "127.0.0.1", 0, on_ready=lambda url: print(url, flush=True))
"""


def test_a_full_disk_is_a_507_and_reading_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        key, url = (process.stdout.readline().strip() for _ in range(2))
        spec = {"text_overlays": [{"text": "x" * 4000}] * 50}
        with httpx2.Client(base_url=url, headers={"X-Api-Key": key}, timeout=60, trust_env=False) as client:
            answers = [client.post("/v1/generate", json=spec) for _ in range(10)]
            assert [answers[0].status_code, answers[-1].status_code] == [202, 507]
            assert {answer.status_code for answer in answers} == {202, 507}
            assert answers[-1].json()["status"] == 507
            assert client.get(answers[0].json()["status_url"]).json()["status"] == "in_queue"
        process.kill()


def test_every_error_of_the_house_has_a_rule_or_never_comes_here() -> None:
    elsewhere = {"VixError", "SettingsError", "AlreadyRunning", "NotYet", "UnknownName", "BadName", "NotLookedAt"}
    # Where a URL comes in, it is a wrong field; where it is called, no request waits for the answer.
    elsewhere |= {"UrlRefused", "BadUrl", "ForbiddenAddress", "ForbiddenPort"}
    elsewhere |= {"BackupRefused"}  # commands alone make and restore them
    known = {cls for name, cls in vars(daemon.errors).items() if isinstance(cls, type) and issubclass(cls, Exception)}
    unmapped = {cls.__name__ for cls in known if rule_for(cls.__new__(cls)) is RULES[Exception]}
    assert unmapped <= elsewhere


def test_the_nearest_rule_counts() -> None:
    class Special(daemon.errors.UnknownJob):
        pass

    assert rule_for(Special()) is RULES[daemon.errors.UnknownJob]
    assert rule_for(HTTPException(418)) is RULES[HTTPException]
    assert rule_for(ZeroDivisionError()) is RULES[Exception]


def test_the_sentence_names_the_first_field_and_counts_the_others() -> None:
    problems = [FieldProblem("video.speed", "must be at most 4", "number"), FieldProblem("b", "is not. So?", "null")]
    assert spec_sentence(SpecError(problems[:1])) == "video.speed: must be at most 4. Sent: number."
    assert spec_sentence(SpecError(problems[1:])) == "b: is not. So? Sent: null."
    assert spec_sentence(SpecError(problems)).endswith("Sent: number. 1 more field is wrong; see errors.")
    assert spec_sentence(SpecError(problems * 2)).endswith("3 more fields are wrong; see errors.")


def test_a_long_path_is_not_repeated_whole(shared: House) -> None:
    answer = shared.client.get("/" + "a" * 5000)
    assert answer.status_code == 404
    assert len(answer.content) < 1000


def test_a_key_without_the_scope_is_told_how_to_get_it(house: House) -> None:
    _, key = house.keys.create("reader", scopes=["read"])
    answer = house.nobody.post("/v1/generate", json={}, headers={"X-Api-Key": key})
    assert answer.status_code == 403
    assert '"submit"' in answer.json()["message"]
    assert "./vix keys change ID --scopes" in answer.json()["message"]
