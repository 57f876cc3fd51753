"""From the `publish` of a request to deliveries: which page is meant, when it goes out, and what is said where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.accounts.life import Account, AccountState
from daemon.publishing import Publishing, parse_publish
from render.errors import FieldProblem, SpecError

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def account(account_id: str, remote_id: str, name: str, kind: str = "facebook") -> Account:
    return Account(
        account_id, kind, remote_id, name, AccountState.OK, "", "", {}, (), None, None, None, None, NOW
    )  # fmt: skip


HILLS = account("acc_hills", "111", "Green Hills")
SHORE = account("acc_shore", "222", "Straße am Meer")
TWIN = account("acc_twin", "333", "green hills")
OTHER = account("acc_other", "444", "Elsewhere", "youtube")


def publishing(
    accounts: Sequence[Account] = (HILLS,), usual: Callable[[str], Mapping[str, Any] | None] = lambda key_id: None
) -> Publishing:
    return Publishing(lambda: accounts, usual, lambda: NOW)


def problems(found: Publishing, publish: object) -> list[FieldProblem]:
    with pytest.raises(SpecError) as caught:
        found.read(parse_publish(publish))
    return list(caught.value.problems)


def account_ids(found: Publishing, publish: object) -> list[str]:
    return [one.account_id for one in found.read(parse_publish(publish))]


def test_the_only_page_needs_no_name() -> None:
    (one,) = publishing((HILLS, OTHER)).read(parse_publish({"facebook": {}}))
    assert (one.target, one.account_id, one.at) == ("facebook", "acc_hills", None)


@pytest.mark.parametrize("name", ["Straße am Meer", "STRASSE AM MEER", "strasse am meer", "222", "acc_shore"])
def test_a_page_is_named_by_name_or_id(name: str) -> None:
    assert account_ids(publishing((HILLS, SHORE)), {"facebook": {"page": name}}) == ["acc_shore"]


def test_of_several_pages_one_has_to_be_named() -> None:
    (problem,) = problems(publishing((HILLS, SHORE)), {"facebook": {}})
    assert problem.field == "publish.facebook.page"
    assert '"Green Hills" or "Straße am Meer"' in problem.message


def test_of_pages_of_one_name_the_id_is_needed() -> None:
    found = publishing((HILLS, TWIN))
    (problem,) = problems(found, {"facebook": {"page": "Green Hills"}})
    assert "write the id" in problem.message
    assert account_ids(found, {"facebook": {"page": "333"}}) == ["acc_twin"]


def test_a_page_whose_name_is_the_id_of_another_gives_way() -> None:
    assert account_ids(publishing((account("acc_x", "555", "111"), HILLS)), {"facebook": {"page": "111"}}) == [
        "acc_hills"
    ]


@pytest.mark.parametrize("accounts", [(), (OTHER,)])
def test_where_no_page_is_connected(accounts: Sequence[Account]) -> None:
    (problem,) = problems(publishing(accounts), {"facebook": {"page": "Green Hills"}})
    assert "./vix accounts add facebook" in problem.message


def test_what_is_wrong_is_told_at_once_and_by_its_place() -> None:
    posts = [{"page": "Green Hils"}, {"page": "Green Hills"}, {"at": "2020-01-01T00:00:00Z"}, {"page": "x" * 200}]
    found = problems(publishing(), {"facebook": posts})
    assert [one.field for one in found] == [
        "publish.facebook[0].page",
        "publish.facebook[2].at",
        "publish.facebook[3].page",
    ]
    assert 'Did you mean "Green Hills"?' in found[0].message


@pytest.mark.parametrize("publish", [{}, {"facebook": None}])
def test_nowhere_is_nowhere_and_asks_for_no_accounts(publish: object) -> None:
    def never() -> Sequence[Account]:
        raise AssertionError

    assert Publishing(never, lambda key_id: {"facebook": {}}).deliveries(parse_publish(publish), {}, "key1") == ()


def test_where_a_request_says_nothing_the_key_does() -> None:
    usual = {"facebook": {"title": "For {{who}}", "hashtags": ["#a"]}}
    found = publishing(usual={"key1": usual}.get)
    data = {"variables": {"who": "Ann"}}
    (one,) = found.deliveries(None, data, "key1")
    assert (one.spec["title"], one.spec["hashtags"]) == ("For Ann", ["a"])
    assert found.deliveries(None, data, "key2") == ()
    assert found.deliveries(parse_publish({}), data, "key1") == ()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-05T09:00:00+01:00", datetime(2026, 3, 5, 8, tzinfo=UTC)),
        ("2026-03-05T09:00:00+05:30", datetime(2026, 3, 5, 3, 30, tzinfo=UTC)),
        ("2026-03-05t09:00:00-09:30", datetime(2026, 3, 5, 18, 30, tzinfo=UTC)),
        ("2026-03-05 09:00Z", datetime(2026, 3, 5, 9, tzinfo=UTC)),
        ("2026-03-05T09:00:00.123456789z", datetime(2026, 3, 5, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-03T06:00:00Z", datetime(2026, 3, 3, 6, tzinfo=UTC)),  # as good as now: the queue was long
    ],
)
def test_times_are_read_with_their_offset(text: str, at: datetime) -> None:
    (one,) = publishing().read(parse_publish({"facebook": {"at": text}}))
    assert one.at == at
    assert datetime.fromisoformat(one.spec["at"]) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-05T09:00:00",
        "2026-03-05",
        "1772700000",
        1772700000,
        "2026-02-30T09:00:00Z",
        "2026-03-05T25:00:00Z",
        "2026-03-05T09:00:00+99:00",
        "2026-03-05T09:00:00+01",
        "tomorrow",
        "",
        True,
        "2026-03-05T09:00:00Z\n",
        "२०२६-03-05T09:00:00Z",
    ],
)
def test_what_is_no_time_with_an_offset_is_refused_by_name(text: object) -> None:
    with pytest.raises(SpecError) as caught:
        parse_publish({"facebook": {"at": text}})
    (problem,) = caught.value.problems
    assert problem.field == "publish.facebook.at"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0001-01-01T00:00:00+14:00", "past"),
        ("2026-03-03T05:06:06Z", "past"),
        ("2027-03-06T00:00:00Z", "year ahead"),
        ("9999-12-31T23:59:59-14:00", "year ahead"),
    ],
)
def test_times_that_cannot_be_kept(text: str, words: str) -> None:
    (problem,) = problems(publishing(), {"facebook": {"at": text}})
    assert problem.field == "publish.facebook.at"
    assert words in problem.message


@pytest.mark.parametrize(("minutes", "is_good"), [(19, False), (20, True), (28 * 1440, True), (28 * 1440 + 1, False)])
def test_what_facebook_waits_for_goes_there_at_once(minutes: int, is_good: bool) -> None:
    at = NOW + timedelta(minutes=minutes)
    publish = {"facebook": {"at": at.isoformat(), "scheduled_by": "facebook"}}
    if is_good:
        (one,) = publishing().read(parse_publish(publish))
        assert one.at is None
        assert datetime.fromisoformat(one.spec["at"]) == at
    else:
        (problem,) = problems(publishing(), publish)
        assert '"vix" takes any time' in problem.message


def test_facebook_cannot_wait_for_no_time() -> None:
    (problem,) = problems(publishing(), {"facebook": {"scheduled_by": "facebook"}})
    assert (problem.field, "is needed" in problem.message) == ("publish.facebook.at", True)
