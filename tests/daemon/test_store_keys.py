from __future__ import annotations

import re
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import BadKey, BadName, SettingsError
from daemon.store.database import Database
from daemon.store.keys import KeyStore, load_pepper
from tests.daemon.conftest import MovableClock


@pytest.fixture
def key_store(vix_database: Database, movable_clock: MovableClock) -> KeyStore:
    return KeyStore(vix_database, b"p" * 32, movable_clock)


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
