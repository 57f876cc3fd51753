"""Connecting pages by a browser that logs in at Facebook and comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.daemon.web.house import INSIDE, MASTER_KEY, House, administered, opened, services_at
from tests.daemon.web.test_openapi import hold
from tests.fakes import facebook as far_side
from tests.fakes.facebook import APP_ID, APP_SECRET, Facebook

APP = {"app_id": APP_ID, "app_secret": APP_SECRET}
PATH = "/admin/accounts/facebook/connect"


@dataclass
class Browser:
    """An operator's browser: `client` has his cookies and comes from a listed address."""

    house: House
    far: Facebook
    client: httpx2.Client

    def begin(self) -> str:
        """Begin a login; the address at Facebook."""
        answer = self.client.post(PATH, json=APP, headers={"X-Master-Key": MASTER_KEY})
        assert answer.status_code == 200, answer.text
        hold("POST", PATH, 200, answer.json())
        assert APP_SECRET not in answer.text
        return str(answer.json()["login_url"])

    def log_in(self, login_url: str) -> str:
        """Be the person who grants everything; where Facebook sends the browser then, without the host."""
        back = httpx2.get(login_url, trust_env=False)
        assert back.status_code == 302
        parts = urlsplit(back.headers["location"])
        return f"{parts.path}?{parts.query}"

    def names(self) -> list[str]:
        return [account.name for account in self.house.services.accounts.list()]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with far_side.facebook(pages=2) as far:
        far.pages[next(iter(far.pages))].name = "Tom & <b>Jerry</b>"
        services = administered(services_at(tmp_path, facebook_url=far.url))
        with opened(services, []) as house, httpx2.Client(
            base_url=house.url, headers=INSIDE, trust_env=False, timeout=30
        ) as client:  # fmt: skip
            yield Browser(house, far, client)


def test_there_and_back(browser: Browser) -> None:
    url = browser.begin()
    asked = parse_qs(urlsplit(url).query)
    assert asked["redirect_uri"] == [f"{browser.house.url}{PATH}"]
    (cookie,) = browser.client.cookies.jar
    assert (cookie.name, cookie.path, cookie.secure) == ("vix_login", PATH, False)
    answer = browser.client.get(browser.log_in(url))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h2>Connected</h2>" in answer.text
    assert "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert list(browser.client.cookies.jar) == []
    assert browser.names() == ["Page 2", "Tom & <b>Jerry</b>"]
    assert [(line.method, line.path, line.status) for line in browser.house.services.audit.page(5)] == [
        ("GET", PATH, 200),
        ("POST", PATH, 200),
    ]


def test_the_cookie_is_as_narrow_as_can_be(tmp_path: Path) -> None:
    services = administered(services_at(tmp_path))
    services = replace(services, public_url="https://films.example.org/vix")
    with opened(services, []) as house:
        answer = house.nobody.post(PATH, json=APP, headers={"X-Master-Key": MASTER_KEY} | INSIDE)
        words = [word.strip().lower() for word in answer.headers["set-cookie"].split(";")]
        assert {"httponly", "secure", "samesite=lax", "max-age=900", f"path=/vix{PATH}"} <= set(words)
        assert answer.json()["redirect_url"] == f"https://films.example.org/vix{PATH}"


def test_another_browser_or_a_second_time_or_nothing_at_all(browser: Browser) -> None:
    url = browser.begin()
    back = browser.log_in(url)
    with httpx2.Client(base_url=browser.house.url, headers=INSIDE, trust_env=False) as other:
        refused = other.get(back)
        assert refused.status_code == 401
        assert "begin it again" in refused.text
        other.cookies.set("vix_login", "x" * 43)
        assert other.get(back).status_code == 401
        assert other.get(PATH).status_code == 401
    assert browser.names() == []
    word = browser.client.cookies["vix_login"]
    assert browser.client.get(back).status_code == 200
    browser.client.cookies.set("vix_login", word)
    assert browser.client.get(back).status_code == 401
    assert len(browser.names()) == 2


def test_it_is_for_listed_addresses_alone(browser: Browser) -> None:
    back = browser.log_in(browser.begin())
    for headers in ({"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": ""}, {"X-Forwarded-For": "127.0.0.1:"}):
        assert browser.client.get(back, headers=headers).status_code == 403
    assert browser.names() == []
    assert browser.client.get(back).status_code == 200


def test_guessing_is_held_back(browser: Browser) -> None:
    back = browser.log_in(browser.begin())
    bad = [browser.client.get(f"{PATH}?state=x&code=y") for _ in range(12)]
    assert [answer.status_code for answer in bad] == [401] * 10 + [429] * 2
    assert browser.client.get(back, headers={"X-Forwarded-For": "127.0.0.2"}).status_code == 401  # the cookie is gone


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("error=access_denied&error_reason=user_denied&error_description=Permissions+error", "told not to grant"),
        ("error_code=1349168&error_message=%3Cscript%3Ealert(1)%3C/script%3E", "ended the login with an error"),
        ("error=%3Cscript%3E&state=x", "ended the login with an error"),
    ],
)
def test_who_says_no_is_told_so(browser: Browser, query: str, sentence: str) -> None:
    browser.begin()
    answer = browser.client.get(f"{PATH}?{query}")
    assert (answer.status_code, "<h2>Not connected</h2>" in answer.text) == (422, True)
    assert sentence in answer.text
    assert not re.search("script>|Permissions", answer.text)
    assert list(browser.client.cookies.jar) == []


def test_a_code_that_is_no_good_says_so(browser: Browser) -> None:
    url = browser.begin()
    state = parse_qs(urlsplit(url).query)["state"][0]
    answer = browser.client.get(PATH, params={"state": state, "code": "<made up>"})
    assert answer.status_code == 422
    assert "authorization code has been used" in answer.text
    assert browser.names() == []


@pytest.mark.parametrize(
    "query", ["state=%ff%00&code=%F0%9F%98%80", "state=" + "a" * 5000 + "&code=b", "state=a&state=b"]
)
def test_nonsense_is_refused_and_no_crash(browser: Browser, query: str) -> None:
    browser.begin()
    assert browser.client.get(f"{PATH}?{query}").status_code == 401


def test_what_is_wrong_is_named(browser: Browser) -> None:
    for body, field in (({"app_secret": "x"}, "app_id"), ({"app_id": "", "app_secret": "x"}, "app_id"),
                        ({"app_id": "1", "app_secret": "a b"}, "app_secret")):  # fmt: skip
        answer = browser.client.post(PATH, json=body, headers={"X-Master-Key": MASTER_KEY})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert browser.client.post(PATH, json=APP).status_code == 401
