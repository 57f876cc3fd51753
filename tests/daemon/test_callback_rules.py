"""Signature, schedule and verdict of callbacks: the pure parts."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from daemon.callbacks.schedule import LONGEST_ASKED_S, LONGEST_IN_ALL_S, WAITS_S, wait_s
from daemon.callbacks.signature import sign
from daemon.callbacks.verdict import asked_s, judge
from daemon.store.callbacks import State
from tests.fakes import n8n

NEW, OLD, OTHER = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in range(3))
BODY = json.dumps({"type": "job.done", "data": {"text": "é😀"}}).encode()
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def now_s() -> int:
    return int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_receivers_verify_with_either_secret(secret: str) -> None:
    headers = sign([NEW, OLD], "msg_1", now_s(), BODY)
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def test_nobody_else_does() -> None:
    headers = sign([NEW, OLD], "msg_1", now_s(), BODY)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(now_s() + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(BODY, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)


@pytest.mark.parametrize("secrets", [[], ["abc"], ["whsec_!"]])
def test_no_signature_without_a_secret(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match=r"secret|base64|padding"):
        sign(secrets, "msg_1", 1, BODY)


def test_the_waits_are_those_that_were_promised() -> None:
    waits: list[float] = []
    while (wait := wait_s(len(waits) + 1, sum(waits), 0.0, 0.5)) is not None:
        waits.append(wait)
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    quick = [wait for wait in waits if wait < 900]
    assert 600 <= sum(quick) < 660
    assert max(quick) <= 64  # a receiver that is back is told within a minute or so
    assert waits[len(quick) :][:4] == [900, 1800, 7200, 18_000]
    assert set(waits[len(quick) + 4 :]) == {36_000}
    assert 2.5 * 86_400 < sum(waits) <= 3 * 86_400


def test_only_the_long_waits_are_spread() -> None:
    spread = {(wait_s(n, 0, 0, 0.0), wait_s(n, 0, 0, 1.0)) for n in range(1, len(WAITS_S) + 1)}
    assert (1.0, 1.0) in spread
    assert (60.0, 60.0) in spread
    ones = sorted((round(low or 0), round(high or 0)) for low, high in spread if low != high)
    assert ones == [(810, 990), (1620, 1980), (6480, 7920), (16_200, 19_800), (32_400, 39_600)]


def test_three_days_are_enough_but_the_quick_tries_are_made() -> None:
    assert wait_s(17, LONGEST_IN_ALL_S, 0, 0.5) is None
    assert wait_s(17, LONGEST_IN_ALL_S - 1, 0, 0.5) is not None
    # A clock that was wrong at the first try must not end it all at once.
    assert wait_s(1, 50 * 365 * 86_400, 0, 0.5) == 1
    assert wait_s(len(WAITS_S) + 1, 0, 0, 0.5) is None


@pytest.mark.parametrize(("asked", "wait"), [(0, 4), (3, 4), (30, 30), (10**9, LONGEST_ASKED_S)])
def test_what_a_receiver_asks_for_is_heeded_within_bounds(asked: float, wait: float) -> None:
    assert wait_s(3, 10, asked, 0.5) == wait


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(
            ("120", 120),
            (" 7 ", 7),
            ("0", 0),
            ("-1", 0),
            ("1.5", 0),
            ("", 0),
            ("soon", 0),
            ("²", 0),
            ("9" * 5000, 1e9 - 1),
        ),
        *(("Wed, 04 Mar 2026 05:07:07 GMT", 60), ("Wed, 04 Mar 2026 05:05:07 GMT", 0), ("Wed, 99 Mar 2026", 0)),
        *(("Wednesday, 04-Mar-26 05:07:07 GMT", 60), ("Wed, 04 Mar 2026 06:07:07 +0100", 60)),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert asked_s(text, NOW) == seconds


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (n8n.RUNNING_ALREADY, State.READY),
        (n8n.NOT_MOUNTED, State.READY),
        (n8n.TWICE_AT_A_TIME, State.READY),
        (n8n.FINISHED_ALREADY, State.DONE),
        (n8n.INVALID_TOKEN, State.FAILED),
        (n8n.STARTED, State.DONE),
    ],
)
def test_what_n8n_answers(reply: n8n.Reply, state: State) -> None:
    assert judge(reply.status, {}, reply.body.encode(), NOW).state is state


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_taken(status: int) -> None:
    assert judge(status, {}, b"", NOW).state is State.DONE


@pytest.mark.parametrize("status", [404, 408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_tried_again(status: int) -> None:
    verdict = judge(status, {"retry-after": "9"}, b"<html>secret</html>", NOW)
    assert (verdict.state, verdict.asked_s) == (State.READY, 9)
    assert "secret" not in verdict.message


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 410, 413, 415, 422, 451, 301, 302, 303, 307, 308, 304])
def test_ended(status: int) -> None:
    assert judge(status, {"retry-after": "9", "location": "http://x/?s=1"}, b"", NOW).state is State.FAILED


def test_redirects_say_what_to_do() -> None:
    message = judge(308, {"location": "http://elsewhere/?secret"}, b"", NOW).message
    assert "final URL" in message
    assert "elsewhere" not in message


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"finished already", b'"finished already"', b'["finished already"]', b'{"error":"finished already"}'),
        *(b'{"message":7}', b'{"message":"has finished alread', b"[" * 60_000, b"\xff\xfe", b"1" * 5000),
    ],
)
def test_only_a_message_ends_a_conflict(body: bytes) -> None:
    assert judge(409, {}, body, NOW).state is State.READY


def test_finished_already_is_a_conflicts_word_alone() -> None:
    body = n8n.FINISHED_ALREADY.body.encode()
    assert judge(404, {}, body, NOW).state is State.READY
    assert judge(400, {}, body, NOW).state is State.FAILED


def test_a_dates_distance_is_counted_from_now() -> None:
    later = NOW + timedelta(hours=1)
    assert asked_s(later.strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW) == 3600
