"""Settings: where they come from, what is refused and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import SettingsError
from daemon.settings import Settings, load, misspelt, notify_socket, variable


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the tester's own, and a folder without `.env`."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
        monkeypatch.delenv(variable(field) + "_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    settings = load()
    assert (settings.data, settings.host, settings.port) == (tmp_path / "data", "127.0.0.1", 8080)
    assert settings.library_folder == tmp_path / "data" / "library"
    assert settings.chosen_threads() >= 1
    assert (settings.public_url, settings.queue.get_secret_value(), settings.ffmpeg) == (None, "", "")


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VIX_PORT=1111\nVIX_HOST=0.0.0.0\nFFMPEG=/bin/true\nUNKNOWN=1\nVIX_UNKNOWN=2\n")
    monkeypatch.setenv("VIX_PORT", "2222")
    settings = load()
    assert (settings.port, settings.host, settings.ffmpeg) == (2222, "0.0.0.0", "/bin/true")


def test_a_variable_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIX_PORT", "VIX_LIBRARY", "VIX_DATA", "VIX_PUBLIC_URL"):
        monkeypatch.setenv(name, "")
    settings = load()
    assert (settings.port, settings.library, settings.public_url) == (8080, None, None)


def test_folders_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIX_DATA", "here/data")
    monkeypatch.setenv("VIX_LIBRARY", "~/clips")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = load()
    assert settings.data == tmp_path / "here" / "data"
    assert settings.library_folder == tmp_path / "home" / "clips"
    inside = (settings.films, settings.work, settings.fonts, settings.catalogue)
    assert all(path.parent == settings.data for path in inside)


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"PORT": "x", "THREADS": "-1", "STALL_S": "0", "STOP_S": "nan", "QUEUE": "ftp://x", "LOG_LEVEL": "HI"}
    wrong |= {"DATABASE": "mongodb://x", "SECRET": "abc", "MASTER_KEY": "short", "ADMIN_ALLOW": "1.2.3.4/33"}
    wrong |= {"CALLBACK_URL": "ftp://x", "FAIL_AT": "nowhere", "LOG_FORMAT": "xml", "KEEP_FILMS_H": "0"}
    for name, value in wrong.items():
        monkeypatch.setenv(f"VIX_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert [name for name in wrong if f"VIX_{name}: " not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["debug", "Warning", "ERROR"])
def test_a_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VIX_LOG_LEVEL", value)
    assert load().log_level == value.upper()


@pytest.mark.parametrize("value", ["sqlite:///q.db", "redis://h/1", "rediss://h", "postgres://h/d", "postgresql://h/d"])
def test_a_queue_url_of_a_known_kind_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VIX_QUEUE", value)
    settings = load()
    assert settings.queue.get_secret_value() == value
    assert value not in repr(settings)


def test_settings_never_change() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_an_ffmpeg_by_name_or_relative_path_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFMPEG", "true")
    assert Path(load().ffmpeg).is_absolute()
    monkeypatch.setenv("FFMPEG", "/nonexistent/ffmpeg")
    assert load().ffmpeg == "/nonexistent/ffmpeg"


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIX_THREAD", "2")
    assert [line for line in misspelt() if "VIX_THREAD " in line] == [
        "VIX_THREAD is no setting. Did you mean VIX_THREADS?"
    ]


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIX_ADMIN_ALLOW", " 10.1.2.3/8, ::1 ,192.168.0.7")
    monkeypatch.setenv("VIX_PRIVATE_HOSTS", "n8n, 192.168.0.0/24,")
    settings = load()
    assert settings.admin_allow == ("10.0.0.0/8", "::1/128", "192.168.0.7/32")
    assert settings.private_hosts == ("n8n", "192.168.0.0/24")
    assert (settings.trusted_proxies, load().redacted()["VIX_TRUSTED_PROXIES"]) == ((), [])


def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 30 + "\n")
    monkeypatch.setenv("VIX_MASTER_KEY_FILE", str(tmp_path / "key"))
    settings = load()
    assert settings.master_key.get_secret_value() == "k" * 30
    assert settings.secrets() == ["k" * 30]
    assert misspelt() == []


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_secret_file_with_nothing_in_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    monkeypatch.setenv("VIX_MASTER_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SettingsError, match=r"VIX_MASTER_KEY_FILE: .*key is empty"):
        load()


@pytest.mark.parametrize("value", ["ü" + "k" * 30, " " + "k" * 30, "k" * 30 + "\t", "k" * 30 + "\x7f"])
def test_a_master_key_is_one_that_a_header_can_carry(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VIX_MASTER_KEY", value)
    with pytest.raises(SettingsError, match=r"VIX_MASTER_KEY: .*visible ASCII") as caught:
        load()
    assert value not in str(caught.value)


def test_a_secret_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIX_SECRET_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"VIX_SECRET_FILE: .*nowhere cannot be read"):
        load()


def test_what_is_shown_to_operators_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"MASTER_KEY": "m" * 24, "SECRET": "5" * 64, "DATABASE": "postgresql://u:pw@h/d"}
    for name, value in secrets.items():
        monkeypatch.setenv(f"VIX_{name}", value)
    shown = load().redacted()
    assert all(value not in str(shown) for value in secrets.values())
    assert (shown["VIX_MASTER_KEY"], shown["VIX_QUEUE"], shown["VIX_PORT"]) == ("set", "", 8080)
    assert set(shown) == {variable(field) for field in Settings.model_fields}


def test_films_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIX_FILMS", "shared")
    assert load().films == tmp_path / "shared"


def test_the_socket_counts_as_a_proxy_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIX_TRUSTED_PROXIES", "unix,10.0.0.0/8")
    assert load().trusted_proxies == ("unix", "10.0.0.0/8")
    monkeypatch.setenv("VIX_ADMIN_ALLOW", "unix")
    with pytest.raises(SettingsError, match="VIX_ADMIN_ALLOW"):
        load()


@pytest.mark.parametrize("value", ["films", "/films", "films/", "//", "/films//", "/a b/", "/../", "/a\n/"])
def test_where_nginx_has_the_films_is_a_location(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for good in ("", "/films/", "/of/vix-1/"):
        monkeypatch.setenv("VIX_ACCEL_REDIRECT", good)
        assert load().accel_redirect == good
    monkeypatch.setenv("VIX_ACCEL_REDIRECT", value)
    with pytest.raises(SettingsError, match=r"VIX_ACCEL_REDIRECT: .*slash at both ends"):
        load()


def test_who_is_to_be_told_how_it_goes_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notify_socket() == ""
    monkeypatch.setenv("NOTIFY_SOCKET", "@x")
    assert notify_socket() == "@x"
