"""The service in numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.store.accounts import Found
from daemon.store.keys import OwnLimits
from daemon.store.notices import Notice, Notices
from tests.daemon.web.house import House


@pytest.fixture
def observer(house: House) -> Iterator[httpx2.Client]:
    _, key = house.keys.create("prometheus", scopes=["metrics"])
    with httpx2.Client(base_url=house.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        yield client


def numbers(client: httpx2.Client) -> dict[str, float]:
    """Every sample, named as Prometheus does it: `vix_jobs{status="done"}`."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    labels = [",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items())) for sample in samples]
    return {
        sample.name + (f"{{{label}}}" if label else ""): sample.value
        for sample, label in zip(samples, labels, strict=True)
    }


def test_it_takes_a_key_with_the_scope(house: House) -> None:
    assert house.nobody.get("/metrics").status_code == 401
    assert house.client.get("/metrics").status_code == 403


def test_jobs_films_and_workers(house: House, observer: httpx2.Client) -> None:
    done = house.submit()["job_id"]
    house.finish(done, b"film", duration_s=20.0, width=1080, height=1920, fps=30.0, render_s=8.0, peak_rss_mb=210)
    house.submit()
    house.submit()
    house.heartbeat()
    found = numbers(observer)
    assert found["vix_up"] == 1
    assert found['vix_jobs{status="in_queue"}'] == 2
    assert found['vix_jobs{status="done"}'] == 1
    assert found['vix_jobs{status="failed"}'] == 0
    assert found["vix_queue_age_seconds"] > 0
    assert found["vix_render_seconds"] == 8.0
    assert found["vix_film_seconds_per_render_second"] == 2.5
    assert found["vix_ffmpeg_peak_bytes"] == 210 * 2**20
    assert found["vix_workers"] == 1
    assert found["vix_disk_free_bytes"] > 0
    assert found['vix_build_info{commit="abc1234",version="1.2.3"}'] == 1


def test_an_empty_house_has_zeros(observer: httpx2.Client) -> None:
    found = numbers(observer)
    assert found["vix_up"] == 1
    assert found["vix_queue_age_seconds"] == found["vix_render_seconds"] == found["vix_workers"] == 0


def test_callbacks_by_state(house: House, observer: httpx2.Client) -> None:
    job_id = house.submit({"callback_url": "https://n8n.example.org/webhook/x"})["job_id"]
    house.finish(job_id, b"film")
    assert numbers(observer)['vix_callbacks{state="ready"}'] == 1


def test_deliveries_accounts_and_alerts(house: House, observer: httpx2.Client) -> None:
    now = house.services.now()
    house.unknown(house.published())  # on My Page, whose token has no end
    shop = house.account("Shop", now + timedelta(days=12, hours=8))
    dead = house.account('The "old" one', now + timedelta(days=50))
    gone = house.account("Gone", now + timedelta(days=50))
    assert house.services.accounts.died(dead, "It was revoked.", None)
    house.services.accounts.remove(gone.id)
    alerts = house.services.alerts
    for word in ("one", "two"):
        alerts.add(Notice("operator.alert", word, word), Notices(has_channels=True))
    alerts.done(alerts.due(1)[0])
    found = numbers(observer)
    assert found['vix_deliveries{state="unknown"}'] == 1
    assert found['vix_deliveries{state="done"}'] == 0
    assert [found[f'vix_accounts{{state="{state}"}}'] for state in ("ok", "dead", "removed")] == [2, 1, 1]
    left = {name: value for name, value in found.items() if name.startswith("vix_token_days_left")}
    assert left == {
        f'vix_token_days_left{{account="{shop.name}"}}': 12.3,
        f'vix_token_days_left{{account="{dead.name}"}}': 0.0,
    }
    assert found["vix_alerts_waiting"] == 1


def test_two_pages_of_one_name_are_one_number(house: House, observer: httpx2.Client) -> None:
    now = house.services.now()
    accounts = house.services.accounts
    for number in (30, 20, 40):
        ends = now + timedelta(days=number, hours=1)
        found = Found(str(number), "Shop", {}, ends, None)
        accounts.connect(accounts.id_for("facebook", found.remote_id), "facebook", found)
    assert numbers(observer)['vix_token_days_left{account="Shop"}'] == 20.0


def test_refusals_are_counted_by_limit(house: House, observer: httpx2.Client) -> None:
    _, key = house.keys.create("small", limits=OwnLimits(per_minute=1))
    headers = {"X-Api-Key": key}
    answers = [house.nobody.post("/v1/generate", content=json.dumps({}), headers=headers).status_code for _ in range(3)]
    assert answers == [202, 429, 429]
    found = numbers(observer)
    assert found['vix_limit_hits_total{limit="minute"}'] == 2
    assert found['vix_limit_hits_total{limit="day"}'] == 0


def test_what_cannot_be_read_is_left_out(house: House, observer: httpx2.Client) -> None:
    house.data.rename(house.data.with_name("elsewhere"))  # open files stay: the tables can be read, the folder cannot
    try:
        found = numbers(observer)
    finally:
        house.data.with_name("elsewhere").rename(house.data)
    assert found["vix_up"] == 0
    assert "vix_disk_free_bytes" not in found
