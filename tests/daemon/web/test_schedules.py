"""`/v1/schedules`: made, listed, replaced, run, removed; and every wrong field by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.store.database import open_database
from daemon.store.schedules import ScheduleStore, Slot, SlotState
from daemon.web.pace import Pace
from tests.daemon.web.house import House, opened, services_at
from tests.daemon.web.test_openapi import hold
from tests.daemon.workers import eventually

NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)  # a Wednesday, four days before the clocks of Europe change
QUOTES = {
    "text_overlays": [{"text": "{{quote}} {{when}}"}],
    "variables": {"quote": ["a", "b"], "when": {"date": "%d.%m.%Y"}},
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    rung: list[str] = []
    free = Pace("schedules", 10_000, "")
    services = replace(services_at(tmp_path), ring=rung.append, now=lambda: NOW, schedule_changes=free)
    database = open_database(tmp_path / "vix.db")
    with opened(replace(services, schedules=ScheduleStore(database, lambda: NOW)), rung) as house:
        yield house
    database.close()


def refused(house: House, **members: Any) -> dict[str, str]:
    """The wrong fields of a schedule that is refused, with what is said of them."""
    body = {"name": "Film", "every": "day", "at": "09:00", "spec": {}, **members}
    body = {name: value for name, value in body.items() if value is not ...}
    answer = house.client.post("/v1/schedules", content=json.dumps(body))
    assert answer.status_code == 422, answer.text
    assert house.client.get("/v1/schedules").json()["items"] == []
    return {problem["field"]: problem["message"] for problem in answer.json()["errors"]}


def test_one_is_made_and_shown(house: House) -> None:
    body = {"name": "Film", "every": "sunday", "at": "02:30", "timezone": "Europe/Berlin", "spec": QUOTES}
    answer = house.client.post("/v1/schedules", json=body)
    assert answer.status_code == 201
    made = answer.json()
    hold("POST", "/v1/schedules", 201, made)
    assert answer.headers["location"] == f"{house.url}/v1/schedules/{made['id']}"
    assert made.items() >= (body | {"enabled": True, "lead_min": 0, "turn": 0, "last_run": None}).items()
    assert made["next_run"] == "2026-03-29T03:30:00+02:00", "02:30 is leapt over on that day"
    assert house.client.get(answer.headers["location"]).json() == made
    listed = house.client.get("/v1/schedules").json()
    hold("GET", "/v1/schedules", 200, listed)
    assert listed == {"items": [made], "next": None}
    assert house.stranger.get("/v1/schedules").json()["items"] == []


def test_the_last_run_is_told(house: House) -> None:
    made = house.schedule()
    store = house.services.schedules
    at = NOW - timedelta(hours=3)
    store.did_not_run(store.get(made["id"]), [Slot(at, SlotState.FAILED, message="The style is gone.")], at)
    shown = house.client.get(f"/v1/schedules/{made['id']}").json()
    hold("GET", "/v1/schedules/{schedule_id}", 200, shown)
    assert shown["last_run"] == {
        "at": "2026-03-25T09:00:00.000+00:00",
        "state": "failed",
        "job_id": None,
        "message": "The style is gone.",
    }


def test_one_is_run_by_hand_in_its_turn(house: House) -> None:
    made = house.schedule(spec=QUOTES, enabled=False)
    assert made["next_run"] is None
    said = []
    for number in range(3):
        answer = house.client.post(f"/v1/schedules/{made['id']}/run")
        assert answer.status_code == 202
        hold("POST", "/v1/schedules/{schedule_id}/run", 202, answer.json())
        job = house.jobs.get(answer.json()["job_id"])
        assert answer.headers["location"] == answer.json()["status_url"]
        eventually(lambda: house.rung[number:], "the worker is woken")  # noqa: B023 - it is called at once
        assert house.rung[number:] == [job.id]
        assert job.base_url == house.url
        said.append(job.spec["variables"])
    assert said == [{"quote": quote, "when": "25.03.2026"} for quote in "aba"]
    shown = house.client.get(f"/v1/schedules/{made['id']}").json()
    assert shown["turn"] == 3
    assert shown["last_run"]["state"] == "ran"
    assert shown["last_run"]["job_id"] == house.rung[-1]


def test_a_run_that_is_repeated_is_one(house: House) -> None:
    made = house.schedule(spec=QUOTES)
    path, headers = f"/v1/schedules/{made['id']}/run", {"Idempotency-Key": "once"}
    first, second = (house.client.post(path, headers=headers) for _ in range(2))
    assert first.json()["job_id"] == second.json()["job_id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert house.services.schedules.get(made["id"]).turn == 1
    other = house.client.post(f"/v1/schedules/{house.schedule()['id']}/run", headers=headers)
    assert other.status_code == 422


def test_runs_at_once_are_a_turn_each(house: House) -> None:
    made = house.schedule(spec=QUOTES | {"variables": {"quote": list("abcdef"), "when": "now"}})
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: house.client.post(f"/v1/schedules/{made['id']}/run"), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    quotes = [house.jobs.get(answer.json()["job_id"]).spec["variables"]["quote"] for answer in answers]
    assert sorted(quotes) == list("abcdef")


def test_a_run_that_is_refused_says_why(house: House) -> None:
    made = house.schedule(spec={"video": {"style": "waves"}})
    house.empty_library()
    answer = house.client.post(f"/v1/schedules/{made['id']}/run")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "spec.video.style"
    assert house.services.schedules.get(made["id"]).turn == 0


def test_one_is_replaced(house: House) -> None:
    made = house.schedule(spec=QUOTES)
    house.client.post(f"/v1/schedules/{made['id']}/run")
    body = {"name": "Other", "every": ["monday", "friday"], "at": ["18:00", "09:00"], "spec": {}, "lead_min": "30"}
    answer = house.client.put(f"/v1/schedules/{made['id']}", json=body)
    assert answer.status_code == 200
    hold("PUT", "/v1/schedules/{schedule_id}", 200, answer.json())
    assert answer.json().items() >= (body | {"lead_min": 30, "turn": 1, "id": made["id"]}).items()
    assert answer.json()["next_run"] == "2026-03-27T09:00:00+00:00"
    paused = house.client.put(f"/v1/schedules/{made['id']}", json=body | {"enabled": False}).json()
    assert (paused["enabled"], paused["next_run"]) == (False, None)
    wrong = house.client.put(f"/v1/schedules/{made['id']}", json=body | {"every": "never"})
    assert wrong.json()["errors"][0]["field"] == "every"
    assert house.client.get(f"/v1/schedules/{made['id']}").json() == paused


def test_one_is_removed(house: House) -> None:
    made = house.schedule()
    answer = house.client.delete(f"/v1/schedules/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for again in (house.client.delete, house.client.get):
        answer = again(f"/v1/schedules/{made['id']}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:vix:error:unknown_schedule"
    assert house.client.get("/v1/schedules/x").status_code == 404


def test_callbacks_are_kept_and_never_shown(house: House) -> None:
    spec = {"callback_url": "https://n8n.example.org/x?token=geheim", "callback_headers": {"Authorization": "geheim"}}
    answer = house.client.post(
        "/v1/schedules", json={"name": "Film", "every": "day", "at": "09:00", "spec": spec, "enabled": False}
    )
    assert "geheim" not in answer.text
    made = answer.json()
    assert made["spec"]["callback_url"] == "https://n8n.example.org/x?..."
    # What is shown is sent back with another name, as a client would that changes one field.
    body = {name: made[name] for name in ("every", "at", "spec")} | {"name": "Other"}
    assert "geheim" not in house.client.put(f"/v1/schedules/{made['id']}", json=body).text
    job = house.jobs.get(house.client.post(f"/v1/schedules/{made['id']}/run").json()["job_id"])
    assert job.callback
    assert (job.callback.url, job.callback.headers) == (spec["callback_url"], spec["callback_headers"])
    assert "callback_url" not in job.spec
    body["spec"] = {"callback_url": "https://other.example.org/"}
    shown = house.client.put(f"/v1/schedules/{made['id']}", json=body).json()
    assert shown["spec"] == body["spec"]


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({"every": "mondya"}, "every", 'Did you mean "monday"?'),
        ({"every": "5 hours"}, "every", "1, 2, 3, 4, 6, 8 or 12 hours"),
        ({"every": ...}, "every", "is required"),
        ({"at": "9 o'clock"}, "at", 'such as "09:00"'),
        ({"at": ...}, "at", 'such as "09:00"'),
        ({"timezone": "Europe/Berln"}, "timezone", 'Did you mean "Europe/Berlin"'),
        ({"timezone": None}, "timezone", "must be the name of a zone"),
        ({"name": ""}, "name", "at least 1 characters"),
        ({"name": "a\nb"}, "name", "printable"),
        ({"name": ...}, "name", "is required"),
        ({"lead_min": 1441}, "lead_min", "at most 1440"),
        ({"enabled": "perhaps"}, "enabled", "true or false"),
        ({"kind": "templat"}, "kind", "must be template"),
        ({"spec": ...}, "spec", "is required"),
        ({"spec": []}, "spec", "must be an object"),
        ({"spec": {"client_data": "x" * 131_100}}, "spec", "at most 128 kB"),
        ({"evry": 1}, "evry", 'Did you mean "every"?'),
        ({"spec": {"video": {"style": "wave"}}}, "spec.video.style", 'Did you mean "waves"?'),
        ({"spec": {"vidoe": {}}}, "spec.vidoe", 'Did you mean "video"?'),
        ({"spec": {"callback_url": "http://127.0.0.1/x"}}, "spec.callback_url", "VIX_PRIVATE_HOSTS"),
        ({"spec": {"webhook_url": "http://127.0.0.1/x"}}, "spec.webhook_url", "VIX_PRIVATE_HOSTS"),
        ({"spec": {"variables": {"a": []}}}, "spec.variables.a", "1 to 1000 items"),
        ({"spec": {"variables": {"a": ["x", {}]}}}, "spec.variables.a[1]", "must be a string"),
        ({"spec": {"variables": {"a": {"date": "%S"}}}}, "spec.variables.a.date", "means nothing here"),
        ({"spec": {"variables": {"a": {"day": 1}}}}, "spec.variables.a", '{"date": "%d.%m.%Y"}'),
    ],
)
def test_wrong_fields_are_named(house: House, members: dict[str, Any], field: str, message: str) -> None:
    found = refused(house, **members)
    assert [*found] == [field]
    assert message in found[field]


def test_all_wrong_fields_are_named_at_once(house: House) -> None:
    spec = {"video": {"style": "none such", "duration": 0}}
    found = refused(house, every="x", at="y", timezone="z", name=7, spec=spec, other=1)
    assert {*found} == {*("every", "at", "timezone", "name", "spec.video.style", "spec.video.duration", "other")}


def test_numbers_that_json_does_not_have_are_named(house: House) -> None:
    body = b'{"name": "a", "every": "day", "at": "09:00", "spec": {"video": {"duration": NaN}}}'
    answer = house.client.post("/v1/schedules", content=body)
    assert [problem["field"] for problem in answer.json()["errors"]] == ["spec.video.duration"]


@pytest.mark.parametrize("place", [1, 150])
def test_a_value_that_comes_later_has_to_fit_now(house: House, place: int) -> None:
    words = ["x"] * 200
    words[place] = "y" * 900
    spec = {"text_overlays": [{"text": "{{word}}" * 6}], "variables": {"word": words}}
    found = refused(house, spec=spec)
    assert [*found] == ["spec.text_overlays[0].text"]
    assert "at most 5000 characters" in found["spec.text_overlays[0].text"]
    assert "not with later ones" in found["spec.text_overlays[0].text"]


def test_a_hundred_of_a_key(house: House) -> None:
    made = [house.schedule() for _ in range(100)]
    body = {"name": "Film", "every": "day", "at": "09:00", "spec": {}}
    answer = house.client.post("/v1/schedules", json=body)
    assert answer.status_code == 409
    assert "has 100 schedules" in answer.json()["message"]
    assert [one["id"] for one in house.client.get("/v1/schedules").json()["items"]] == [one["id"] for one in made]
    assert house.stranger.post("/v1/schedules", json=body).status_code == 201


def test_changes_have_a_pace(tmp_path: Path) -> None:
    with opened(services_at(tmp_path), []) as house:
        answers = [house.client.post("/v1/schedules", json={}) for _ in range(70)]
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {422, 429}
        assert codes.index(429) >= 60
        assert int(answers[-1].headers["Retry-After"]) >= 1
