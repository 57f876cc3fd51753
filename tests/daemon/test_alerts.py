"""Alerts through Apprise to real receivers: told once, kept while nobody takes them, and no word of a channel's URL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from daemon.alerts import Alerts, split_urls, tell
from daemon.store.database import Database
from daemon.store.notices import AlertStore, Notice, Notices
from daemon.store.tables import AlertRow, CallbackRow
from tests.daemon.conftest import MovableClock, every_database
from tests.fakes.n8n import STARTED, N8n, Reply, n8n

SECRET = "canary-of-the-channel"
NOTICE = Notice("token.expired", "Vix: Page 1 cannot be published on", "Its token has ended.")


@pytest.fixture
def store(vix_database: Database, movable_clock: MovableClock) -> AlertStore:
    return AlertStore(vix_database, movable_clock)


@pytest.fixture
def receiver() -> Iterator[N8n]:
    with n8n(STARTED) as found:
        yield found


def url_of(receiver: N8n, options: str = "") -> str:
    return f"json://vix:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}{options}"


def add(store: AlertStore) -> None:
    store.add(NOTICE, Notices(has_channels=True))


def words(receiver: N8n) -> list[tuple[str, str]]:
    return [(body["title"], body["message"]) for body in (json.loads(one.body) for one in receiver.heard)]


def test_an_alert_is_told_once(store: AlertStore, receiver: N8n, movable_clock: MovableClock) -> None:
    add(store)
    alerts = Alerts(store, [url_of(receiver)])
    alerts.carry()
    assert words(receiver) == [(NOTICE.subject, NOTICE.sentence)]
    movable_clock.move(86_400)
    alerts.carry()
    assert len(receiver.heard) == 1


def test_an_alert_waits_for_a_channel_that_is_down(
    store: AlertStore, movable_clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), n8n(Reply(503, "down"), STARTED) as receiver:
        add(store)
        alerts = Alerts(store, [url_of(receiver)])
        alerts.carry()
        alerts.carry()  # not before its time
        assert len(receiver.heard) == 1
        movable_clock.move(61)
        alerts.carry()
        assert words(receiver) == [(NOTICE.subject, NOTICE.sentence)] * 2
    assert SECRET not in caplog.text


def test_two_workers_tell_it_once(store: AlertStore, receiver: N8n) -> None:
    add(store)
    alerts = Alerts(store, [url_of(receiver)])
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: alerts.carry(), range(2)))
    assert len(receiver.heard) == 1


@every_database
def test_who_takes_an_alert_has_it_for_a_while(store: AlertStore, movable_clock: MovableClock) -> None:
    add(store)
    (mine,), (theirs,) = store.due(5), store.due(5)
    assert store.take(mine, 180)
    assert not store.take(theirs, 180)
    assert store.due(5) == []
    movable_clock.move(181)  # whoever had it is dead
    (again,) = store.due(5)
    assert store.take(again, 180)
    store.done(again)
    movable_clock.move(181)
    assert store.due(5) == []


def test_a_channel_that_hangs_holds_up_no_other(receiver: N8n) -> None:
    with n8n(Reply(200, "late", after_s=20.0)) as slow:
        assert tell([url_of(slow, "?rto=60"), url_of(receiver)], "a", "b", limit_s=4.0)
    assert words(receiver) == [("a", "b")]


def test_channels_that_all_hang_have_taken_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), n8n(Reply(200, "late", after_s=20.0)) as slow:
        assert not tell([url_of(slow, "?rto=60")], "a", "b", limit_s=2.0)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("url", ["nonsense", "json://", f"nobody://{SECRET}", f"json://{SECRET}@127.0.0.1:1/"])
def test_a_url_that_leads_nowhere_is_not_told_and_not_written_down(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not tell([url], "a", "b")
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


def test_an_alert_that_nobody_takes_for_days_is_given_up(
    store: AlertStore, vix_database: Database, movable_clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    add(store)
    with vix_database.write() as connection:
        AlertRow.update(tries=1000).execute(connection)
    Alerts(store, ["nonsense"]).carry()
    assert "given up" in caplog.text
    movable_clock.move(86_400)
    assert store.due(5) == []
    store.forget(movable_clock())
    with vix_database.read() as connection:
        assert AlertRow.select().count(connection) == 0


def test_an_alert_of_a_clock_that_was_ahead_is_told_now(store: AlertStore, movable_clock: MovableClock) -> None:
    movable_clock.step(365 * 86_400)
    add(store)
    movable_clock.step(-365 * 86_400)
    assert len(store.due(5)) == 1


def test_alerts_that_nobody_carries_any_more_go(
    store: AlertStore, vix_database: Database, movable_clock: MovableClock
) -> None:
    """Somebody has taken the channels out of the settings."""
    add(store)
    store.forget(movable_clock() + timedelta(hours=1))
    assert len(store.due(5)) == 1
    store.forget(movable_clock() + timedelta(days=5))
    assert store.due(5) == []


def test_where_nobody_listens_nothing_is_kept(store: AlertStore, vix_database: Database) -> None:
    store.add(NOTICE, Notices())
    with vix_database.read() as connection:
        assert AlertRow.select().count(connection) == CallbackRow.select().count(connection) == 0


def test_what_is_no_alarm_goes_to_the_url_alone(store: AlertStore, vix_database: Database) -> None:
    notice = Notice("delivery.done", "a", "It is published.", {"delivery_id": "dlv_1"}, is_alarm=False)
    store.add(notice, Notices("http://127.0.0.1:9/operator", has_channels=True))
    assert store.due(5) == []
    with vix_database.read() as connection:
        (row,) = CallbackRow.select().execute(connection)
    body = json.loads(row.body)
    assert (row.type, body["type"]) == ("delivery.done", "delivery.done")
    assert body["data"] == {"message": "It is published.", "delivery_id": "dlv_1"}
    assert set(body) == {"type", "timestamp", "data"}


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        (" \n ", []),
        ("json://a/b", ["json://a/b"]),
        ("json://a/b,tgram://1:2/3", ["json://a/b", "tgram://1:2/3"]),
        ("json://a/b, tgram://1:2/3\nmailto://u:p@h?to=x,y", ["json://a/b", "tgram://1:2/3", "mailto://u:p@h?to=x,y"]),
    ],
)
def test_urls_are_taken_apart(text: str, urls: list[str]) -> None:
    assert split_urls(text) == urls
