"""Connecting a page: what is refused and why, in one sentence each, and the login by browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from daemon.accounts.facebook import Given
from daemon.accounts.life import AccountState
from daemon.errors import AccountRefused
from daemon.facebook.tokens import App
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import Outbox, outbox
from tests.fakes.facebook import APP_ID, APP_SECRET, Token

_DAY_S = 86_400
REDIRECT = "https://films.example.org/admin/accounts/facebook/connect"


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path, pages=3) as found:
        yield found


def test_all_pages_of_a_person_are_connected(box: Outbox) -> None:
    assert [account.name for account in box.accounts.list()] == ["Page 1", "Page 2", "Page 3"]


def test_only_those_that_are_named(box: Outbox) -> None:
    for account in box.accounts.list():
        box.accounts.remove(account.id)
    (account,) = box.facebook.connect(Given(box.far.user_token("EAAx"), APP_ID, APP_SECRET), ["page 2"])
    assert [one.name for one in box.accounts.list()] == [account.name] == ["Page 2"]
    with pytest.raises(AccountRefused, match=r'None of these pages is Page 9; the token is good for "Page 1"'):
        box.facebook.connect(Given(box.far.user_token("EAAx"), APP_ID, APP_SECRET), ["Page 9"])


def test_a_page_keeps_its_id_when_it_is_connected_anew(box: Outbox) -> None:
    before = [account.id for account in box.accounts.list()]
    box.accounts.remove(before[0])
    box.connect("EAAother")
    assert [account.id for account in box.accounts.list()] == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dead": (190, 460)}, "password was changed"),
        ({"scopes": ("pages_show_list",)}, "lacks pages_read_engagement and pages_manage_posts"),
        ({"app_id": "999"}, "granted to the app 999 and not to 1234567890"),
        ({"kind": "APP"}, "an app's token"),
        ({"expires_at": 1.0}, "has expired"),
    ],
)
def test_what_is_wrong_with_a_token_is_said_in_one_sentence(box: Outbox, change: dict[str, Any], sentence: str) -> None:
    text = box.far.user_token("EAAwrong")
    for name, value in change.items():
        setattr(box.far.tokens[text], name, value)
    with pytest.raises(AccountRefused, match=sentence) as refused:
        box.facebook.connect(Given(text, APP_ID, APP_SECRET))
    assert text not in str(refused.value)


def test_a_users_token_needs_the_app(box: Outbox) -> None:
    with pytest.raises(AccountRefused, match="give the app's id and secret"):
        box.facebook.connect(Given(box.far.user_token("EAAx")))


def test_a_wrong_secret_is_refused(box: Outbox) -> None:
    with pytest.raises(AccountRefused):
        box.facebook.connect(Given(box.far.user_token("EAAx"), APP_ID, "wrong"))


def test_a_token_with_spaces_was_not_copied_well(box: Outbox) -> None:
    with pytest.raises(AccountRefused, match="paste it whole"):
        box.facebook.connect(Given("EAA x", APP_ID, APP_SECRET))


def test_a_pages_token_that_ends_is_refused(box: Outbox, movable_clock: MovableClock) -> None:
    page = next(iter(box.far.pages.values()))
    text = "EAApageshort"
    box.far.tokens[text] = Token("PAGE", page.id, movable_clock().timestamp() + 5000)
    with pytest.raises(AccountRefused, match='The token of "Page 1" would end on 2026-03-04'):
        box.facebook.connect(Given(text, APP_ID, APP_SECRET))


def test_a_pages_token_without_an_end_is_good(box: Outbox) -> None:
    page = next(iter(box.far.pages.values()))
    box.far.tokens["EAApagelong"] = Token("PAGE", page.id)
    (account,) = box.facebook.connect(Given("EAApagelong", APP_ID, APP_SECRET))
    assert account.remote_id == page.id


@pytest.mark.parametrize("days", [0, 60])
def test_a_system_users_token_may_end(box: Outbox, movable_clock: MovableClock, days: int) -> None:
    until = movable_clock().timestamp() + days * _DAY_S if days else 0
    box.far.tokens["EAAsystem"] = Token("SYSTEM_USER", "system", until)
    accounts = box.facebook.connect(Given("EAAsystem", APP_ID, APP_SECRET))
    assert len(accounts) == 3
    assert {account.state for account in accounts} == {AccountState.OK}


def test_a_person_without_the_right_role(box: Outbox) -> None:
    for page in box.far.pages.values():
        page.tasks = ["ANALYZE"]
    with pytest.raises(AccountRefused, match="does not include publishing"):
        box.connect("EAAx")


def test_a_person_without_a_page(box: Outbox) -> None:
    box.far.pages.clear()
    with pytest.raises(AccountRefused, match="good for no page"):
        box.connect("EAAx")


def test_a_far_side_that_is_down(box: Outbox) -> None:
    box.far.url = "http://127.0.0.1:9"
    with pytest.raises(AccountRefused, match="not reached"):
        box.facebook.connect(Given("EAAx", APP_ID, APP_SECRET))


def back_from(login_url: str) -> tuple[str, str]:
    """What a person does at the far side; the state and the code that the browser comes back with."""
    answer = httpx2.get(login_url, follow_redirects=False)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    return query["state"][0], query["code"][0]


def test_a_login_connects_the_pages(box: Outbox) -> None:
    for account in box.accounts.list():
        box.accounts.remove(account.id)
    login_url, word = box.facebook.begin_login(App(APP_ID, APP_SECRET), REDIRECT)
    asked = parse_qs(urlsplit(login_url).query)
    assert asked["scope"] == ["pages_show_list,pages_read_engagement,pages_manage_posts"]
    assert APP_SECRET not in login_url
    state, code = back_from(login_url)
    assert len(box.facebook.end_login(state, word, code)) == 3
    with pytest.raises(AccountRefused, match="not begun here"):
        box.facebook.end_login(state, word, code)


def test_a_login_of_another_browser_is_refused(box: Outbox) -> None:
    login_url, word = box.facebook.begin_login(App(APP_ID, APP_SECRET), REDIRECT)
    state, code = back_from(login_url)
    with pytest.raises(AccountRefused, match="not begun here"):
        box.facebook.end_login(state, "another word", code)
    with pytest.raises(AccountRefused, match="not begun here"):
        box.facebook.end_login("another state", word, code)
    assert len(box.facebook.end_login(state, word, code)) == 3
