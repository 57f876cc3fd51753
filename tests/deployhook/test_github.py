"""GitHub's protocol as pure values: signatures, payloads, and what they mean."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployhook import github
from deployhook.errors import HookError, NotReadable, NotSigned, WrongContentType
from deployhook.github import Ignored, Ping, Push
from tests.deployhook.yard import push_payload

COMMIT = "0123456789abcdef0123456789abcdef01234567"
EXAMPLE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def read(event: str = "push", /, **changes: object) -> github.Event:
    return github.read(event, json.loads(push_payload(COMMIT, **changes)), "owner/project", "main")


def test_githubs_own_example() -> None:
    github.verify("It's a Secret to Everybody", b"Hello, World!", EXAMPLE)


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", EXAMPLE.upper(), EXAMPLE[:-1], EXAMPLE + "0", EXAMPLE[7:], "sha1=" + "0" * 40, "é" * 71, " "],
)
def test_any_other_signature_is_refused(signature: str | None) -> None:
    with pytest.raises(NotSigned):
        github.verify("It's a Secret to Everybody", b"Hello, World!", signature)


@pytest.mark.parametrize("body", [b"Hello, World", b"Hello, World! ", b""])
def test_the_signature_is_that_of_every_byte(body: bytes) -> None:
    with pytest.raises(NotSigned):
        github.verify("It's a Secret to Everybody", body, EXAMPLE)


def test_a_push() -> None:
    assert read() == Push(COMMIT, "somebody")
    assert read(repository={"full_name": "OWNER/project"}) == Push(COMMIT, "somebody")
    assert read(pusher={"name": "a\x1b[31m\nb" + "c" * 500}) == Push(COMMIT, "a[31mb" + "c" * 94)
    assert read(pusher=None) == Push(COMMIT, "")


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        ("push", {"ref": "refs/heads/other"}),
        ("push", {"ref": "refs/heads/main2"}),
        ("push", {"ref": "refs/tags/main"}),
        ("push", {"ref": "main"}),
        ("push", {"deleted": True}),
        ("push", {"after": "0" * 40}),
        ("push", {"repository": {"full_name": "owner/project2"}}),
        ("issues", {}),
    ],
)
def test_what_is_not_for_us(event: str, changes: dict[str, object]) -> None:
    assert isinstance(read(event, **changes), Ignored)


def test_a_ping_has_no_commit() -> None:
    assert github.read("ping", {"zen": "Keep it logically awesome."}, "owner/project", "main") == Ping()


@pytest.mark.parametrize(
    "changes", [{"after": "x"}, {"after": 7}, {"ref": None}, {"repository": []}, {"after": COMMIT + "\n"}]
)
def test_what_github_does_not_send(changes: dict[str, object]) -> None:
    with pytest.raises(NotReadable):
        read(**changes)


def test_both_content_types_say_the_same() -> None:
    body = push_payload(COMMIT, pusher={"name": "Jürgen & söhne"})
    form = urlencode({"payload": body.decode()}).encode()
    assert github.parse(form, github.FORM) == github.parse(body, github.JSON) == json.loads(body)
    assert github.check_content_type("application/json; charset=utf-8") == github.JSON
    for other in (None, "", "text/plain", "application/jsonx"):
        with pytest.raises(WrongContentType):
            github.check_content_type(other)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", github.JSON),
        (b"[]", github.JSON),
        (b"\xff", github.JSON),
        (b"[" * 100_000, github.JSON),
        (b"1" * 10_000, github.JSON),
        (b"", github.FORM),
        (b"payload=1&payload=2", github.FORM),
        (b"other={}", github.FORM),
        (b"payload=%5B%5D", github.FORM),
        (b"&" * 100, github.FORM),
    ],
)
def test_what_cannot_be_read_is_said_so(body: bytes, media_type: str) -> None:
    with pytest.raises(NotReadable):
        github.parse(body, media_type)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from(["ref", "after", "deleted", "repository", "pusher", "full_name"])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES | st.text(), JSONS), st.sampled_from(["push", "ping", "", "Ω", "x" * 65]))
def test_no_payload_breaks_it(payload: dict[str, object], event: str) -> None:
    with contextlib.suppress(HookError):
        github.read(event, payload, "owner/project", "main")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([github.JSON, github.FORM]))
def test_no_bytes_break_it(body: bytes, media_type: str) -> None:
    with contextlib.suppress(HookError):
        github.parse(body, media_type)
