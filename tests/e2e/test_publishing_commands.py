"""`vix accounts`, `vault`, `deliveries`, `alert` and `keys --publish`, as an operator types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.deliveries.life import State
from daemon.store.database import open_database
from daemon.store.deliveries import DeliveryStore
from daemon.store.tables import DeliveryRow, utc_now
from tests.e2e.service import Service, service
from tests.fakes.facebook import APP_ID, APP_SECRET, Facebook, facebook
from tests.fakes.n8n import n8n


@pytest.fixture
def far() -> Iterator[Facebook]:
    with facebook(pages=2) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, far: Facebook) -> Iterator[Service]:
    with service(tmp_path / "s", tmp_path / "library", facebook_url=far.url) as found:
        yield found


def connect(run: Service, far: Facebook, *more: str) -> str:
    typed = f"{far.user_token('EAAtyped')}\n{APP_SECRET}\n"
    done = run.command("accounts", "add", "facebook", "--app-id", APP_ID, *more, stdin=typed)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_page_is_connected_looked_at_and_disconnected(run: Service, far: Facebook) -> None:
    assert [line.split("  ")[-1] for line in connect(run, far).splitlines()] == ["Page 1", "Page 2"]
    assert "89.9 days left" in run.command("accounts", "list").stdout
    looked = run.command("accounts", "test", "page 2")
    assert (looked.returncode, len(looked.stdout.splitlines())) == (0, 1)
    for token in far.tokens.values():
        token.dead = (190, 460)
    looked = run.command("accounts", "test")
    assert looked.returncode == 1
    assert "password was changed" in looked.stdout
    assert "is disconnected" in run.command("accounts", "remove", "Page 1").stdout
    assert "Page 1" not in run.command("accounts", "list").stdout
    unknown = run.command("accounts", "remove", "Page 1")
    assert unknown.returncode == 1
    assert 'Known here: "Page 2"' in unknown.stderr


def test_what_is_wrong_with_a_token_is_one_sentence(run: Service, far: Facebook) -> None:
    done = run.command("accounts", "add", "facebook", "--app-id", APP_ID, stdin=f"EAAunknown\n{APP_SECRET}\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: Facebook does not accept the token any more")
    assert "EAAunknown" not in done.stderr + done.stdout


def test_only_the_page_that_is_named(run: Service, far: Facebook) -> None:
    assert connect(run, far, "--page", "Page 2").splitlines()[0].endswith("Page 2")
    assert len(run.command("accounts", "list").stdout.splitlines()) == 1


def test_the_vaults_key_is_changed(run: Service, far: Facebook) -> None:
    connect(run, far)
    before = (run.data / "vault.key").read_text()
    done = run.command("vault", "rotate")
    assert done.stdout.startswith("2 secrets are encrypted with a new key")
    after = (run.data / "vault.key").read_text()
    assert len(after.split()) == 1
    assert after != before
    assert run.command("accounts", "test").returncode == 0


def test_a_key_publishes_by_itself(run: Service, far: Facebook) -> None:
    key_id = run.command("keys", "create", "n8n").stderr.split()[1]
    publish = json.dumps({"facebook": {"page": "Page 1", "title": "{{headline}}"}})
    refused = run.command("keys", "change", key_id, "--publish", publish)
    assert refused.returncode == 1
    assert "publish.facebook.page: cannot be published on: no account is connected" in refused.stderr
    connect(run, far)
    assert run.command("keys", "change", key_id, "--publish", publish).returncode == 0
    wrong = run.command("keys", "change", key_id, "--publish", '{"facebook": {"pag": 1}}')
    assert "publish.facebook.pag: is not a known field" in wrong.stderr
    assert run.command("keys", "change", key_id, "--publish", "none").returncode == 0


def test_a_delivery_that_nobody_can_tell_of_is_ended(run: Service, far: Facebook) -> None:
    run.command("keys", "list")
    database = open_database(run.data / "vix.db")
    with database.write() as connection:
        DeliveryRow.insert(
            id="dlv_x", job_id="job_x", key_id="k", target="facebook", account_id="acc_x", state=State.UNKNOWN,
            spec={}, due_at=utc_now(), next_at=utc_now(), created_at=utc_now(),
        ).execute(connection)  # fmt: skip
    assert "unknown" in run.command("deliveries", "list", "--state", "unknown").stdout
    link = "https://www.facebook.com/reel/1"
    done = run.command("deliveries", "resolve", "dlv_x", "published", "--link", link)
    assert done.stdout == "dlv_x is done.\n"
    assert DeliveryStore(database).get("dlv_x").remote == {"link": link}
    again = run.command("deliveries", "resolve", "dlv_x", "give_up")
    assert again.returncode == 1
    assert "its status is done" in again.stderr
    database.close()


def test_an_alert_reaches_the_channels(run: Service) -> None:
    alone = run.command("alert", "Subject", "Text")
    assert alone.returncode == 1
    assert "set VIX_ALERT_URLS" in alone.stderr
    with n8n() as channel:
        run.settings = {**run.settings, "ALERT_URLS": f"json://127.0.0.1:{channel.port}/hook"}
        assert run.command("alert", "Subject", "Text").stdout == "Told.\n"
        told = json.loads(channel.heard[0].body)
    assert (told["title"], told["message"]) == ("Subject", "Text")
    assert run.command("alert", "Subject", "Text").stdout == "It waits to be told.\n"
