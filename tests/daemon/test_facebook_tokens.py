"""Tokens and pages as Facebook tells of them, in forms that nobody has documented, too: never more than "not now"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.accounts.life import AccountState
from daemon.errors import AccountRefused
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import Outbox, outbox
from tests.fakes.facebook import Asked, Reply

ODD: list[Any] = [
    {},
    {"data": None},
    {"data": []},
    {"data": "text"},
    {"data": 7},
    {"data": {"is_valid": "yes"}},
    {"data": {"is_valid": True, "scopes": 7}},
    {"data": {"is_valid": False, "error": "text"}},
    {"data": {"is_valid": False, "error": {"code": 1e999, "subcode": "x", "message": "\ud800\x00"}}},
    {"data": {"is_valid": True, "expires_at": 1e999, "data_access_expires_at": -1e999}},
    {"data": [7, None, {}, {"id": 7, "tasks": 7, "access_token": "EAAx"}], "paging": 7},
    {"data": [{"id": "1", "name": "\ud800\x00", "access_token": "EAAx", "tasks": None}], "paging": {"next": 1}},
    {"data": [], "paging": {"next": "...", "cursors": 7}},
    {"id": "1", "name": "\ud800\x00", "category": ["x"]},
    {"access_token": 7, "expires_in": 1e999},
]


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


@pytest.mark.parametrize("path", ["debug_token", "oauth/access_token", "me/accounts", "me"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_answers_connect_or_are_refused_with_a_sentence(box: Outbox, path: str, odd: Any) -> None:
    box.far.script = lambda asked: Reply(200, odd) if asked.path.endswith(f"/{path}") else None
    with suppress(AccountRefused):
        box.connect("EAAother" + "5" * 40)
    assert box.accounts.list()[0].state is AccountState.OK


@pytest.mark.parametrize("path", ["debug_token", "me/accounts", "me", "oauth/access_token"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_answers_do_not_end_the_watch(box: Outbox, movable_clock: MovableClock, path: str, odd: Any) -> None:
    movable_clock.move(35 * 86_400)
    box.far.script = lambda asked: Reply(200, odd) if asked.path.endswith(f"/{path}") else None
    box.watch.run()
    box.far.script = None
    if box.accounts.list()[0].state is AccountState.DEAD:
        assert "is_valid': False" in str(odd)  # which is what it says outright
    movable_clock.move(86_400)
    box.watch.run()
    assert box.accounts.list()[0].state is AccountState.OK


def test_a_page_list_without_an_end_ends(box: Outbox) -> None:
    asked: list[Asked] = []

    def script(one: Asked) -> Reply | None:
        if not one.path.endswith("/me/accounts"):
            return None
        asked.append(one)
        return Reply(200, {"data": [], "paging": {"next": "...", "cursors": {"after": str(len(asked))}}})

    box.far.script = script
    with pytest.raises(AccountRefused, match="no page"):
        box.connect("EAAother" + "5" * 40)
    assert len(asked) < 100


def test_a_login_is_good_once_also_for_two_who_come_at_the_same_time(box: Outbox) -> None:
    from daemon.facebook.tokens import App
    from tests.fakes.facebook import APP_ID, APP_SECRET

    address, word = box.facebook.begin_login(App(APP_ID, APP_SECRET), "http://vix.test/back")
    state = address.partition("state=")[2].partition("&")[0]
    tried: list[str] = []

    def script(asked: Asked) -> Reply | None:
        if asked.path.endswith("/oauth/access_token") and not tried:
            tried.append("")
            with pytest.raises(AccountRefused) as caught:
                box.facebook.end_login(state, word, "code")
            tried.append(str(caught.value))
            return Reply(400, {"error": {"code": 100, "message": "This code has been used."}})
        return None

    box.far.script = script
    with pytest.raises(AccountRefused):
        box.facebook.end_login(state, word, "code")
    assert "not begun here" in tried[1]


def test_what_waits_says_why_in_the_log_of_its_job(box: Outbox, movable_clock: MovableClock) -> None:
    late = (movable_clock() + timedelta(days=1)).isoformat(timespec="seconds")
    jobs = [box.post(), box.post({"facebook": {"at": late}})]
    for token in box.far.tokens.values():
        token.dead = (190, 460)
    box.turns()
    for job in jobs:
        held = [event for event in box.events.after(job.id, 0, 1000) if event.type == "delivery.held"]
        assert len(held) == 1
        assert "password was changed" in held[0].message
