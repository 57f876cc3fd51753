"""What each of Facebook's errors leads to, row by row of its table, and that none of its words carry a secret on."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from daemon.deliveries.setbacks import DeliveryError, NeedsHuman, Passing, Refused, Throttled, Unclear
from daemon.facebook.meaning import Forbidden, NotUsable, WrongOffset, clean, error_of, parsed, pause_s

TOKEN = "EAABsbCS1iHgBO" + "Zx9" * 40
PROOF = "0123456789abcdef" * 4
ECHO = f"Error validating {TOKEN} with {PROOF} at https://graph.facebook.com/v26.0/me?access_token={TOKEN}"


def error(code: Any = None, subcode: Any = None, status: int = 400, **more: Any) -> DeliveryError:
    told = {"message": "Words of Facebook.", "type": "OAuthException", "fbtrace_id": "Abc", **more}
    told |= {"code": code} if code is not None else {}
    told |= {"error_subcode": subcode} if subcode is not None else {}
    found = error_of(status, json.dumps({"error": told}).encode())
    assert found is not None
    return found


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((1, 2), Passing),
        ((4, 17, 341, 32, 80001, 613), Throttled),
        ((3, 10, 200, 210, 299), Forbidden),
        ((102, 190), NeedsHuman),
        ((368,), Throttled),
        ((506,), Unclear),
        ((6000, 6001), NotUsable),
    ],
    ids=str,
)
def test_the_code_decides_and_not_the_status(codes: tuple[int, ...], kind: type[DeliveryError], status: int) -> None:
    for code in codes:
        found = error(code, status=status)
        assert isinstance(found, kind), code
        assert found.code == f"facebook_{code}"
        assert type(error(str(code), status=status)) is type(found)  # numbers may come as strings


@pytest.mark.parametrize("code", [100, 389, 351, 352, 382, 300, 101, 0, -5])
def test_what_will_not_be_taken_later_either(code: int) -> None:
    assert type(error(code)) is Refused
    # But a server that fails may have done it.
    assert type(error(code, status=500)) is Unclear


def test_an_unknown_error_that_calls_itself_transient_passes() -> None:
    assert type(error(987, is_transient=True)) is Passing
    assert type(error(987, is_transient="yes")) is Refused


def test_bounded_and_unbounded_tries() -> None:
    assert [getattr(error(code), "most_tries", None) for code in (1, 2, 6000, 6001)] == [0, 0, 5, 5]


def test_a_block_lasts_for_hours_and_is_told() -> None:
    blocked, throttled = error(368), error(4)
    assert isinstance(blocked, Throttled)
    assert isinstance(throttled, Throttled)
    assert (blocked.is_block, throttled.is_block) == (True, False)
    assert blocked.wait_s >= 3600 > throttled.wait_s > 0
    assert blocked.account
    assert throttled.account


@pytest.mark.parametrize(
    ("subcode", "why"),
    [
        (458, "app was removed"),
        (459, "log in at facebook.com"),
        (460, "password was changed"),
        (463, "expired"),
        (464, "not confirmed"),
        (467, "no longer valid"),
        (492, "no role on the page"),
        (493, "90 days"),
        (461, "Words of Facebook."),
        (None, "Words of Facebook."),
    ],
)
def test_why_a_token_is_dead(subcode: int | None, why: str) -> None:
    found = error(190, subcode)
    assert type(found) is NeedsHuman
    assert why in str(found)
    assert "./vix accounts add facebook" in str(found)


def test_the_chunk_that_is_wanted_is_read_from_the_error() -> None:
    found = error(6001, 1363037, error_data={"start_offset": 10, "end_offset": "20"})
    assert isinstance(found, WrongOffset)
    assert found.offsets == {"start_offset": "10", "end_offset": "20"}
    assert type(error(6001, 1363037, error_data="?")) is NotUsable


@pytest.mark.parametrize(
    ("words", "is_limit"),
    [
        ("The maximum number of Reels of this Page in 24 hours is reached.", True),
        ("You have reached the daily limit", False),  # "limit" stands after "daily": no such sentence is known
        ("The limit of 30 per day is reached", True),
        ("Invalid parameter", False),
    ],
)
def test_the_days_limit_is_known_by_its_words(words: str, is_limit: bool) -> None:
    found = error(100, 2207042, message=words)
    assert isinstance(found, Throttled if is_limit else Refused)
    if isinstance(found, Throttled):
        assert not found.account


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"<html>", Unclear),
        (502, b"", Unclear),
        (200, b"<html>", Unclear),
        (404, b"", Passing),
        (301, b"{}", Unclear),
        (500, b"{}", Unclear),
        (403, b"{}", Refused),
        (400, b'{"error": "text"}', Unclear),
        (200, b'{"error": "text"}', Unclear),
        (200, b"[]", Unclear),
        (200, b"null", Unclear),
        (200, b"\xff\xfe", Unclear),
        (200, b"[" * 100_000, Unclear),
        (200, b'{"a": ' + b"9" * 5_000 + b"}", Unclear),
    ],
)
def test_bodies_of_other_forms(status: int, body: bytes, kind: type[DeliveryError]) -> None:
    assert type(error_of(status, body)) is kind


@pytest.mark.parametrize("body", [b"{}", b"true", b'{"error": null}', b'{"success": true, "error": {}}'[:16] + b"}"])
def test_good_answers(body: bytes) -> None:
    assert error_of(200, body) is None
    assert isinstance(parsed(body), dict)


@pytest.mark.parametrize(
    "code", ["NaN", "Infinity", "-Infinity", "1e999", '"x"', "null", "true", "{}", "[1]", "9" * 400]
)
def test_codes_that_are_no_numbers(code: str) -> None:
    found = error_of(400, f'{{"error": {{"code": {code}, "error_subcode": {code}, "message": {code}}}}}'.encode())
    assert type(found) is Refused


@pytest.mark.parametrize(
    ("info", "status", "kind"),
    [
        ({"retriable": True, "type": "ServerError", "message": "busy"}, 400, Passing),
        ({"retriable": False, "type": "ParameterValidationError", "message": "HeaderValuePredicate"}, 400, Passing),
        ({"type": "ServerError"}, 500, Passing),
        ({"type": "NotAuthorizedError", "message": "OAuth access token is not valid"}, 401, NeedsHuman),
        ({}, 400, Passing),
    ],
)
def test_the_upload_hosts_own_form(info: dict[str, Any], status: int, kind: type[DeliveryError]) -> None:
    found = error_of(status, json.dumps({"debug_info": info}).encode())
    assert type(found) is kind


@pytest.mark.parametrize("code", [1, 4, 10, 100, 102, 190, 200, 368, 389, 506, 6000, 99_999])
@pytest.mark.parametrize("member", ["message", "error_user_msg"])
def test_no_error_carries_a_secret_on(code: int, member: str) -> None:
    text = str(error(code, None, 400, **{member: ECHO}))
    assert "EAAB" not in text
    assert PROOF[:20] not in text
    assert len(text) < 600


def test_no_words_of_the_upload_host_carry_a_secret_on() -> None:
    body = {"debug_info": {"retriable": False, "type": "OAuthException", "message": f"OAuth {TOKEN}"}}
    assert "EAAB" not in str(error_of(400, json.dumps(body).encode()))


def test_clean_words_are_one_line_that_every_database_takes() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(500):
        words = "".join(chr(rng.choice([*range(300), 0x2028, 0xD800, 0xDFFF, 0x1F600])) for _ in range(50))
        line = clean(words)
        assert line.encode(), seed
        assert "\x00" not in line, seed
        assert len(line.splitlines()) <= 1, (seed, words)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"x-app-usage": "not json"}, 0),
        ({"x-app-usage": '{"call_count": 89, "total_time": 3}'}, 0),
        ({"x-app-usage": '{"call_count": 3, "total_time": "91"}'}, 900),
        ({"x-app-usage": '{"call_count": NaN, "total_time": Infinity}'}, 0),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 7}]}'}, 420),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 99999}]}'}, 86_400),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": -5}], "2": 3, "3": [4]}'}, 0),
        (
            {"x-business-use-case-usage": '{"1": [{"call_count": 90}], "2": [{"estimated_time_to_regain_access": 1}]}'},
            900,
        ),
    ],
)
def test_how_long_to_leave_it_alone(headers: dict[str, str], seconds: float) -> None:
    assert pause_s(headers) == seconds
