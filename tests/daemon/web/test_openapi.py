"""The documentation is valid, complete, and true: its examples are sent, and answers are held to its schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from daemon.jobs import Failure
from daemon.web.access import Kind
from daemon.web.app import doors_of
from daemon.web.doors import DOORS
from daemon.web.errors import RULES
from daemon.web.openapi import document
from tests.daemon.web.house import House

DOCUMENT = document(DOORS, "1.2.3", "https://films.example.org")

Operation = tuple[str, str, dict[str, Any]]


def operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema that refers to the components of the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}, validate_formats=True)


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    for method, path, operation in operations():
        for status, reply in operation["responses"].items():
            content = reply.get("content", {}).get("application/json", {})
            if "example" in content:
                yield f"{method} {path} {status}", content


def hold(method: str, path: str, status: int, said: Any) -> None:
    """Check an answer against the schema of its status."""
    reply = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    validator(reply["content"]["application/json"]["schema"]).validate(said)


def test_the_document_is_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_door_is_in_it_with_a_sentence_and_its_key() -> None:
    found = {(method, path): operation for method, path, operation in operations()}
    assert set(found) == {(door.method, door.path) for door in DOORS}
    assert len({operation["operationId"] for operation in found.values()}) == len(DOORS)
    for door in DOORS:
        operation = found[door.method, door.path]
        assert re.fullmatch(r"[A-Z`].+[^.]", operation["summary"]), door.path
        assert bool(operation["security"]) == (door.access.kind is not Kind.NOTHING), door.path
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", door.path)), door.path
        assert any(int(status) < 300 for status in operation["responses"]), door.path
        for status, reply in operation["responses"].items():
            assert reply["description"], (door.path, status)
            has_body = int(status) not in (204, 304)
            assert bool(reply.get("content")) == has_body, (door.path, status)


def test_every_error_that_there_is_can_be_read_of_somewhere() -> None:
    documented = {int(status) for _, _, operation in operations() for status in operation["responses"]}
    assert documented >= {rule.status for rule in RULES.values()}


def test_examples_of_answers_fit_their_schemas() -> None:
    found = dict(answers())
    assert len(found) > 20
    for name, content in found.items():
        problems = [error.message for error in validator(content["schema"]).iter_errors(content["example"])]
        assert problems == [], name


def test_examples_of_requests_fit_their_schemas_and_are_taken(house: House) -> None:
    sent = 0
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or path.startswith("/admin"):
            continue
        validator(content["schema"]).validate(content["example"])
        there = path.replace("{schedule_id}", house.schedule()["id"])
        if "{delivery_id}" in path:
            there = path.replace("{delivery_id}", house.unknown(house.published()).id)
        answer = house.client.request(method, there, json=content["example"])
        # Nobody has looked at the clips of this house.
        assert answer.status_code in ({409} if path == "/v1/preview" else {200, 201, 202}), answer.text
        hold(method, path, answer.status_code, answer.json())
        sent += 1
    assert sent >= 1


def test_examples_of_parameters_fit_their_schemas() -> None:
    found = [one for _, _, operation in operations() for one in operation.get("parameters", ())]
    assert len(found) > 10
    for one in found:
        validator(one["schema"]).validate(one["example"])


def test_the_parameters_of_lists_are_taken_as_documented(shared: House) -> None:
    for path in ("/v1/jobs", f"/v1/jobs/{shared.submit()['job_id']}/events"):
        template = re.sub(r"job_[a-z0-9]{20}", "{job_id}", path)
        parameters = DOCUMENT["paths"][template]["get"]["parameters"]
        query = {one["name"]: str(one["example"]) for one in parameters if one["in"] == "query"}
        assert shared.client.get(path, params=query).status_code == 200


def test_a_jobs_whole_life_fits_the_schemas(house: House) -> None:
    waits, fails, done = (house.submit({"client_data": {"a": [1]}})["job_id"] for _ in range(3))
    for job_id, expected in ((waits, 200), (waits, 200)):
        answer = house.client.post(f"/v1/jobs/{job_id}/cancel")
        hold("POST", "/v1/jobs/{job_id}/cancel", expected, answer.json())
    assert house.jobs.fail(house.claim(fails), Failure("render_failed", "It broke.", permanent=False))
    house.finish(done, b"film", style="waves", clips=[{"name": "one.mp4"}])
    for job_id in (waits, fails, done):
        hold("GET", "/v1/status/{job_id}", 200, house.status(job_id))
        events = house.client.get(f"/v1/jobs/{job_id}/events").json()
        assert events["items"]
        hold("GET", "/v1/jobs/{job_id}/events", 200, events)
    hold("GET", "/v1/jobs", 200, house.client.get("/v1/jobs").json())
    hold("POST", "/v1/jobs/{job_id}/retry", 202, house.client.post(f"/v1/jobs/{fails}/retry").json())
    refused = house.client.post(f"/v1/jobs/{done}/retry")
    hold("POST", "/v1/jobs/{job_id}/retry", refused.status_code, refused.json())
    wrong = house.client.post("/v1/generate", json={"video": 1})
    hold("POST", "/v1/generate", wrong.status_code, wrong.json())
    for path in ("/v1/styles", "/v1/audio", "/v1/fonts", "/"):
        hold("GET", path, 200, house.client.get(path).json())


def test_it_is_served_to_anybody_and_shows_no_admin_door_that_is_not_there(shared: House) -> None:
    answer = shared.nobody.get("/openapi.json")
    assert answer.status_code == 200
    said = answer.json()
    assert said["servers"] == [{"url": shared.url}]
    shown = {(door.method, door.path) for door in doors_of(shared.services)}
    assert {(m.upper(), path) for path, methods in said["paths"].items() for m in methods} == shown
    assert not [path for path in said["paths"] if path.startswith(("/admin", "/accounts"))]


def test_the_page_needs_nothing_from_elsewhere(shared: House) -> None:
    answer = shared.nobody.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:", policy)
    loaded = re.findall(
        r"<(?:script|img|iframe|source)[^>]*\ssrc=|<link[^>]*href=\"(?!data:)|@import|url\(", answer.text
    )
    assert loaded == []
    assert len(answer.content) < 300_000


def test_the_page_shows_every_door_field_and_example(shared: House) -> None:
    text = shared.nobody.get("/docs").text
    for door in doors_of(shared.services):
        assert f">{door.path}<".replace("/", "<wbr>/") in text, door.path
    for field in ("text_overlays", "positionxy", "saturation", "callback_url", "dry_run", "Idempotency-Key"):
        assert f"<code>{field}</code>" in text
    assert "curl -X POST &#x27;" in text
    assert "-H &#x27;X-Api-Key: catv_...&#x27;" in text


def test_what_the_page_is_made_of_is_escaped() -> None:
    from daemon.web.page import page

    evil = json.loads(json.dumps(DOCUMENT).replace("films.example.org", "<script>alert(1)</script>"))
    assert "<script>alert" not in page(evil)
