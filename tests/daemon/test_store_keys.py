"""The keys table: secrets, scopes, limits, ends and rotation."""

from __future__ import annotations

import base64
import re
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.errors import BadKey, BadName, KeyRevoked, SettingsError, UnknownKey
from daemon.jobs import Limits
from daemon.store.database import Database
from daemon.store.keys import DEFAULT_SCOPES, OPERATOR, KeyStore, OwnLimits, load_pepper
from tests.daemon.conftest import MovableClock

SERVICE = Limits(per_minute=120, per_day=5000, waiting=2000)


@pytest.fixture
def key_store(vix_database: Database, movable_clock: MovableClock) -> KeyStore:
    return KeyStore(vix_database, b"p" * 32, SERVICE, movable_clock)


def test_a_made_key_opens(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, secret = key_store.create("n8n in the cellar ü")
    assert re.fullmatch(rf"catv_{key.id}_[A-Za-z0-9]{{43}}", secret)
    assert key_store.verify(secret) == key
    assert (key.name, key.created_at, key.revoked_at) == ("n8n in the cellar ü", movable_clock.time, None)


def test_the_secret_is_nowhere_in_the_file(key_store: KeyStore, vix_database: Database) -> None:
    key, presented = key_store.create("a")
    secret = presented.removeprefix(f"catv_{key.id}_")
    vix_database.close()  # into the main file
    content = vix_database.path.read_bytes()
    assert key.id.encode() in content
    assert secret.encode() not in content


def test_another_pepper_opens_nothing(key_store: KeyStore, vix_database: Database) -> None:
    _, secret = key_store.create("a")
    with pytest.raises(BadKey):
        KeyStore(vix_database, b"q" * 32).verify(secret)


def test_what_is_no_key_opens_nothing(key_store: KeyStore) -> None:
    key, secret = key_store.create("a")
    other, _ = key_store.create("b")
    wrong = [
        "",
        "catv__",
        secret[:-1],
        secret + "x",
        secret + "\n",
        " " + secret,
        secret.upper(),
        secret[:-1] + ("a" if secret[-1] != "a" else "b"),
        secret.replace(key.id, other.id),
        secret.replace(key.id, "AAAAAAAA"),
        secret[:-1] + "é",
        secret[:-1] + "\ud800",
        "catv_" + "a" * 8 + "_" + "1" * 42 + "٣",  # a digit, but not one of ours
        "x" * 1_000_000,
    ]
    for presented in wrong:
        with pytest.raises(BadKey):
            key_store.verify(presented)


def test_the_answer_does_not_tell_why(key_store: KeyStore) -> None:
    key, secret = key_store.create("a")
    key_store.revoke(key.id)
    answers = set()
    for presented in ("nonsense", secret, secret[:-3] + "aaa", "catv_AAAAAAAA_" + "a" * 43):
        with pytest.raises(BadKey) as caught:
            key_store.verify(presented)
        answers.add(str(caught.value))
    assert len(answers) == 1
    assert secret not in answers.pop()


def test_a_revoked_key_opens_nothing_any_more(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, secret = key_store.create("a")
    _, other = key_store.create("b")
    movable_clock.move(60)
    assert key_store.revoke(key.id)
    with pytest.raises(BadKey):
        key_store.verify(secret)
    key_store.verify(other)
    movable_clock.move(60)
    assert not key_store.revoke(key.id)
    assert not key_store.revoke("nobody")
    revoked = [known.revoked_at for known in key_store.list() if known.id == key.id]
    assert [(at - key.created_at).total_seconds() for at in revoked if at] == [60]


def test_the_list_is_in_order_of_making(key_store: KeyStore, movable_clock: MovableClock) -> None:
    for name in ("first", "second", "third"):
        key_store.create(name)
        movable_clock.move(1)
    assert [key.name for key in key_store.list()] == ["first", "second", "third"]


@pytest.mark.parametrize("name", ["", "a" * 101, "two\nlines", "bell\x07", "half \udc80"])
def test_a_name_has_to_be_readable(key_store: KeyStore, name: str) -> None:
    with pytest.raises(BadName):
        key_store.create(name)
    assert key_store.list() == []


def test_the_pepper_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as threads:
        peppers = set(threads.map(lambda _: load_pepper(path), range(8)))
    assert peppers == {load_pepper(path)}
    assert len(peppers.pop()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("content", ["", "ab", "z" * 64, "é" * 64])
def test_a_damaged_pepper_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_pepper(path)
    assert "secret" in str(caught.value)
    assert not content or content not in str(caught.value)
    assert path.read_text("utf-8") == content


def test_digests_depend_on_the_secret(key_store: KeyStore, vix_database: Database) -> None:
    key_store.create("a")
    key_store.create("b")
    with sqlite3.connect(vix_database.path) as connection:
        digests = [row[0] for row in connection.execute("select digest from key")]
    connection.close()
    assert len({*digests}) == 2
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)


def test_a_key_has_the_services_limits_but_for_its_own(key_store: KeyStore) -> None:
    plain, _ = key_store.create("plain")
    assert (plain.limits, plain.own_limits, plain.scopes) == (SERVICE, OwnLimits(), DEFAULT_SCOPES)
    own, secret = key_store.create("own", scopes=["metrics"], limits=OwnLimits(per_minute=3, waiting=0))
    assert own.limits == Limits(per_minute=3, per_day=5000, waiting=0)
    assert own.scopes == {"metrics"}
    assert key_store.verify(secret) == own == key_store.get(own.id)


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "write"]])
def test_a_scope_has_to_be_one(key_store: KeyStore, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="submit, read, metrics"):
        key_store.create("a", scopes=scopes)
    key, _ = key_store.create("b")
    with pytest.raises(ValueError, match="submit, read, metrics"):
        key_store.change(key.id, lambda key: replace(key, scopes=frozenset(scopes)))
    assert key_store.list() == [key]


def test_a_key_opens_nothing_from_its_end_on(key_store: KeyStore, movable_clock: MovableClock) -> None:
    _, secret = key_store.create("a", expires_at=movable_clock() + timedelta(hours=1))
    movable_clock.move(3599)
    key_store.verify(secret)
    movable_clock.move(1)
    with pytest.raises(BadKey) as expired:
        key_store.verify(secret)
    with pytest.raises(BadKey) as unknown:
        key_store.verify("nonsense")
    assert str(expired.value) == str(unknown.value)


def test_changing_leaves_what_is_not_changed(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, secret = key_store.create("a", limits=OwnLimits(per_day=7))
    end = movable_clock() + timedelta(days=1)
    changed = key_store.change(key.id, lambda key: replace(key, expires_at=end, name="not this"))
    assert changed == replace(key, expires_at=end)
    narrowed = key_store.change(key.id, lambda key: replace(key, scopes=frozenset({"read"})))
    assert narrowed == replace(changed, scopes=frozenset({"read"})) == key_store.verify(secret)
    with pytest.raises(UnknownKey):
        key_store.change("nobody", lambda key: key)
    with pytest.raises(UnknownKey):
        key_store.get("nobody")


def test_both_secrets_open_while_a_rotation_overlaps(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, first = key_store.create("a")
    rotated, second = key_store.rotate(key.id, timedelta(hours=24))
    assert rotated == replace(key, old_until=movable_clock() + timedelta(hours=24))
    assert first != second
    assert key_store.verify(first) == key_store.verify(second) == rotated
    movable_clock.move(24 * 3600 - 1)
    key_store.verify(first)
    movable_clock.move(1)
    with pytest.raises(BadKey):
        key_store.verify(first)
    key_store.verify(second)


def test_a_second_rotation_ends_the_first_secret(key_store: KeyStore) -> None:
    key, first = key_store.create("a")
    _, second = key_store.rotate(key.id, timedelta(hours=24))
    _, third = key_store.rotate(key.id, timedelta(hours=24))
    with pytest.raises(BadKey):
        key_store.verify(first)
    assert key_store.verify(second).id == key_store.verify(third).id == key.id


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(key_store: KeyStore) -> None:
    key, first = key_store.create("a")
    _, second = key_store.rotate(key.id, timedelta())
    with pytest.raises(BadKey):
        key_store.verify(first)
    key_store.verify(second)


def test_a_revoked_key_is_not_rotated_and_its_old_secret_is_dead(key_store: KeyStore) -> None:
    key, first = key_store.create("a")
    _, second = key_store.rotate(key.id, timedelta(hours=24))
    key_store.revoke(key.id)
    for secret in (first, second):
        with pytest.raises(BadKey):
            key_store.verify(secret)
    with pytest.raises(KeyRevoked):
        key_store.change(key.id, lambda key: key)
    with pytest.raises(KeyRevoked):
        key_store.rotate(key.id, timedelta(hours=24))
    with pytest.raises(UnknownKey):
        key_store.rotate("nobody", timedelta(hours=24))


def test_use_is_noted_once_an_hour(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, _ = key_store.create("a")
    begun = movable_clock()
    assert key.used_at is None
    noted = []
    for _ in range(4):
        key = key_store.get(key.id)
        key_store.note_use(key)
        noted.append(key_store.get(key.id).used_at)
        movable_clock.move(1200)
    assert noted == [begun, begun, begun, begun + timedelta(hours=1)]


def test_use_is_noted_after_the_clock_was_put_back(key_store: KeyStore, movable_clock: MovableClock) -> None:
    key, _ = key_store.create("a")
    key_store.note_use(key)
    movable_clock.move(-86_400)
    key_store.note_use(key_store.get(key.id))
    assert key_store.get(key.id).used_at == movable_clock()


def test_callbacks_are_signed_with_both_secrets_while_a_rotation_overlaps(
    key_store: KeyStore, movable_clock: MovableClock
) -> None:
    key, _ = key_store.create("a")
    other, _ = key_store.create("b")
    first = key_store.hook_secrets(key.id)
    assert len(base64.b64decode(first[0].removeprefix("whsec_"), validate=True)) == 32
    key_store.rotate(key.id, timedelta(hours=1))
    current, before = key_store.hook_secrets(key.id)
    assert [before] == first
    movable_clock.move(3600)
    assert key_store.hook_secrets(key.id) == [current]
    distinct = {*first, current, *key_store.hook_secrets(other.id), *key_store.hook_secrets(OPERATOR)}
    assert len(distinct) == 4
    with pytest.raises(UnknownKey):
        key_store.hook_secrets("nobody")
